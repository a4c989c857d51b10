import fc from "fast-check"
import { expect, it } from "vitest"
import { Ends } from "../../src/internal/http/headTail.ts"

it("the ends of a body are its first two and its last four kilobytes at least, or all of it", () => {
  const sizes = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 9_000 }), fc.constantFrom(2_048, 4_096, 8_192)), {
    maxLength: 60
  })
  fc.assert(
    fc.property(sizes, (sizes) => {
      const ends = new Ends()
      let text = ""
      for (const size of sizes) {
        const chunk = Uint8Array.from({ length: size }, (_, index) => 32 + ((text.length + index * 7) % 223))
        text += Buffer.from(chunk).toString("latin1")
        ends.add(chunk)
        chunk.fill(0)
      }
      const tail = ends.tail()
      // No diffs of kilobytes: whether it holds is enough.
      expect([ends.head() === text.slice(0, 2_048), text.endsWith(tail)]).toEqual([true, true])
      expect(ends.isWhole).toBe(tail.length === text.length)
      expect(tail.length).toBeGreaterThanOrEqual(Math.min(text.length, 4_096))
      expect(tail.length).toBeLessThanOrEqual(2_048 + 8_192)
    })
  )
})
