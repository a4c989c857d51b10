// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import * as zlib from "node:zlib"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failureOf, withSite, type Handler } from "./support.ts"

const stall = () => {}

describe("a JSON response of unknown length", () => {
  /** Sends `parts` as chunks, each with its own flush, `pause` ms apart. */
  const chunked =
    (parts: ReadonlyArray<Buffer>, pause: number, encoding?: string): Handler =>
    async (_, response) => {
      response.writeHead(200, {
        "content-type": "application/json",
        ...(encoding !== undefined && { "content-encoding": encoding })
      })
      for (const part of parts) {
        response.write(part)
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
      }
      response.end()
    }

  it("is read whole, so that it holds no socket, if it comes at once", async () => {
    await withSite(chunked([Buffer.from("[1,"), Buffer.from("2]")], 0), async ({ ended, fetch, origin }) => {
      const response = await fetch(origin)
      expect(ended()).toBe(1)
      expect(await response.json()).toEqual([1, 2])
    })
  })

  it("is handed on as it comes if it trickles", async () => {
    let next: () => void = stall
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-type": "application/json; charset=utf-8" })
      let sent = 0
      next = () => (sent++ < 3 ? response.write(`${sent}\n`) : response.end())
      next()
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      const seen: Array<string> = []
      for await (const chunk of (await fetch(origin)).body!) {
        seen.push(Buffer.from(chunk).toString())
        next()
      }
      expect(seen).toEqual(["1\n", "2\n", "3\n"])
      expect(ended()).toBe(1)
    })
  })

  it("is not held in memory when it is large, however fast it comes", async () => {
    const parts = Array.from({ length: 64 }, () => Buffer.alloc(65_536, 32))
    await withSite(chunked(parts, 0), async ({ fetch, inFlight, origin }) => {
      const response = await fetch(origin)
      expect(inFlight()).toBe(1)
      expect((await response.bytes()).length).toBe(64 * 65_536)
    })
  })

  it("arrives whole however it is cut up, compressed or not", async () => {
    const sizes = fc.array(fc.constantFrom(1, 100, 5_000, 70_000), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(0, 8, 15), fc.boolean(), async (sizes, pause, gzip) => {
        const parts = sizes.map((size, index) => Buffer.alloc(size, index + 65))
        const whole = Buffer.concat(parts)
        const packed = gzip ? zlib.gzipSync(whole, { level: 0 }) : whole
        let at = 0
        const cut = sizes.map((size, index) =>
          packed.subarray(at, (at = index === sizes.length - 1 ? packed.length : at + size))
        )
        await withSite(chunked(cut, pause, gzip ? "gzip" : undefined), async ({ ended, fetch, origin }) => {
          expect((await (await fetch(origin)).text()) === whole.toString()).toBe(true)
          expect(ended()).toBe(1)
        })
      }),
      { numRuns: 25 }
    )
  })

  it("that is small on the wire and large when decoded arrives whole", async () => {
    const text = "a".repeat(5_000_000)
    await withSite(chunked([zlib.gzipSync(text)], 0, "gzip"), async ({ fetch, origin }) => {
      expect((await (await fetch(origin)).text()).length).toBe(text.length)
    })
  })

  it("fails if it is cut, or if its coding ends too early", async () => {
    const packed = zlib.gzipSync("[1]")
    await withSite(chunked([packed.subarray(0, -3)], 0, "gzip"), async ({ ended, fetch, origin }) => {
      expect(await failureOf(fetch(origin))).toMatchObject({ name: "WireError", reason: "Malformed" })
      expect(ended()).toBe(1)
    })
    const handler: Handler = ({ url }, response) => {
      response.writeHead(200, { "content-type": "application/json" }).write("[1,")
      setTimeout(() => response.destroy(), url === "/late" ? 50 : 1)
    }
    await withSite(handler, async ({ ended, fetch, origin }) => {
      for (const path of ["/", "/late"]) {
        const error = await failureOf(fetch(origin + path).then((response) => response.text()))
        expect(error).toMatchObject({ name: "WireError", reason: "Connection" })
      }
      expect(ended()).toBe(2)
    })
  })
})
