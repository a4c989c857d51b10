/** Error events of streams, on their way to an SDK. */
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { EventFilter } from "../../../src/internal/http/bodyFilter.ts"
import { cleanEvents } from "../../../src/internal/http/sse/redactEvents.ts"

const key = 'sk-CANARY"key'
const header = "CANARY-hüader"
const secret = Redacted.make(key)

const hidden = [header]

/** Bytes passed on after each chunk, and at the end. */
const pass = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array | undefined> => {
  const filter = new EventFilter({ clean: () => cleanEvents(secret, hidden) }, Infinity, undefined, false)
  return [...chunks.map((chunk) => filter.chunk(chunk)), filter.end()]
}

const join = (chunks: ReadonlyArray<Uint8Array | undefined>): Buffer =>
  Buffer.concat(chunks.filter((chunk) => chunk !== undefined))

const clean = (text: string): string => join(pass([Buffer.from(text)])).toString()

/** The bytes, cut at these places. */
const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const all = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b
  )
  return all.slice(1).map((end, i) => bytes.subarray(all[i], end))
}

const cuts = fc.array(fc.nat(1_000), { maxLength: 8 })

const escaped = JSON.stringify(key).slice(1, -1)

const errors = [
  `event: error\ndata: {"message":"${escaped} ${header}"}\n\n`,
  `data: {"error":{"message":"${escaped} ${header}"}}\n\n`,
  `data: {"type":"error","message":"${escaped} ${header}"}\r\n\r\n`,
  `data:${key} ${header}\n\n`,
  `data:${key} ${header}\r\r`,
  `id: 1\ndata: {"error":\ndata: "${escaped} ${header}"}\n\n`
]

const words = [
  `data: {"choices":[{"delta":{"content":"${escaped} ${header}, an error"}}]}\n\n`,
  `data: {"error":null,"choices":[{"delta":{"content":"${escaped}"}}]}\n\n`,
  `: ping\n\ndata: {"choices":[{"delta":{"content":"${escaped}"}}]}\r\n\r\ndata: [DONE]\n\n`
]

describe("an event with a secret in it", () => {
  it.each(errors)("is redacted if an SDK makes an error of it: %j", (event) => {
    const before = 'data: {"choices":[]}\n\n'
    const told = clean(before + event)
    assert.isTrue(told.startsWith(before))
    for (const one of [key, escaped, header]) assert.notInclude(told, one)
    assert.include(told, "[key] [header]")
    assert.isTrue(/[\r\n]{2}$/.test(told))
  })

  it.each(words)("is unchanged if it is no error: %j", (event) => {
    assert.strictEqual(clean(event), event)
  })

  it("is the same wherever the chunks are cut", () => {
    const stream = fc.array(fc.constantFrom(...errors, ...words), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(stream, cuts, fc.boolean(), (events, places, isWhole) => {
        // A stream that stops in mid event leaves what an SDK may take for one.
        const text = isWhole ? events.join("") : events.join("").trimEnd()
        assert.strictEqual(join(pass(cut(Buffer.from(text), places))).toString(), clean(text))
      })
    )
  })
})

describe("a stream without a secret", () => {
  it("is untouched, be it of any bytes, wherever the chunks are cut", () => {
    const breaks = fc.constantFrom(10, 13, 0x61, 0xe4)
    fc.assert(
      fc.property(fc.array(breaks, { maxLength: 60 }), cuts, (values, places) => {
        const bytes = Uint8Array.from(values)
        assert.deepStrictEqual(Uint8Array.from(join(pass(cut(bytes, places)))), bytes)
      })
    )
  })

  it("is passed on event by event, as soon as each has ended, and in the chunk that it came in", () => {
    const [a, b, c] = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map((text) => Buffer.from(text)) as [
      Buffer,
      Buffer,
      Buffer
    ]
    const given = pass([a, Buffer.concat([b, c.subarray(0, 3)]), c.subarray(3, 8), c.subarray(8), a])
    assert.strictEqual(given[0], a)
    assert.strictEqual(given[4], a)
    assert.deepStrictEqual(
      given.map((chunk) => chunk && Buffer.from(chunk).toString()),
      ["data: 1\n\n", "data: 2\n\n", undefined, "data: 3\n\n", "data: 1\n\n", undefined]
    )
  })
})
