/** Events that reach an SDK which would print those that are no JSON. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { jsonEvents } from "../../../src/internal/http/sse/jsonEvents.ts"

const bodyOf = (chunks: ReadonlyArray<Uint8Array>) => {
  let at = 0
  let cancelled = false
  const cancel = () => {
    cancelled = true
  }
  return {
    body: { read: async () => chunks[at++], cancel, onEnd: () => undefined },
    isCancelled: () => cancelled
  }
}

/** What passes, and why no more does. */
const through = async (chunks: ReadonlyArray<Uint8Array>, most: number) => {
  const { body, isCancelled } = bodyOf(chunks)
  const events = jsonEvents(body, most)
  const all: Array<Uint8Array> = []
  const error = await (async () => {
    for (let chunk = await events.read(); chunk !== undefined; chunk = await events.read()) all.push(chunk)
  })().catch((thrown: unknown) => String(thrown))
  return { text: Buffer.concat(all).toString(), error, cancelled: isCancelled() }
}

const cut = (text: string, at: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(text)
  const places = [0, ...at.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to))
}

describe("events for an SDK that prints those which it can't parse", () => {
  const end = fc.constantFrom("\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\n\n\n")
  const beside = fc.constantFrom("", "id: 1\n", "event: x\r\n", ": odd \x1b\n")
  const json = fc.oneof(
    fc.json(),
    fc.constant("[DONE]"),
    fc.object().map((one) => JSON.stringify(one, null, 1).replaceAll("\n", "\ndata: "))
  )
  const good = fc
    .tuple(beside, fc.constantFrom("data: ", "data:"), json, end)
    .map(([before, field, data, after]) => `${before}${field}${data}${after}`)
  const stream = fc.array(good).map((events) => events.join(""))

  it("pass as they came if they are JSON, however they are cut, and so does what is no event yet", async () => {
    const unfinished = fc.constantFrom("", "data: {", "event: \x1b", "\r")
    await fc.assert(
      fc.asyncProperty(stream, unfinished, fc.array(fc.nat()), async (events, tail, at) => {
        const text = events + tail
        assert.deepStrictEqual(await through(cut(text, at), 1_000_000), { text, error: undefined, cancelled: false })
      })
    )
  })

  it("end with a failure at the first that is no JSON, and those before it are not lost", async () => {
    const bad = fc.constantFrom('{"a":"\x1b[2J"}', "{}\ndata: forged", "\x00", '{"half": "', "a\r\ndata: b")
    await fc.assert(
      fc.asyncProperty(stream, bad, end, stream, fc.array(fc.nat()), async (before, data, after, later, at) => {
        const passed = await through(cut(`${before}data: ${data}${after}${later}`, at), 1_000_000)
        assert.deepStrictEqual(
          { ...passed, text: passed.text.trimEnd() },
          {
            text: before.trimEnd(),
            error: "WireError: an event in the response's stream is no JSON",
            cancelled: true
          }
        )
      })
    )
  })

  it("are held only until they are longer than an event may be", async () => {
    const endless = Array.from({ length: 100 }, () => Buffer.from("x".repeat(100)))
    const first = await jsonEvents(bodyOf([Buffer.from("data: "), ...endless]).body, 1_000).read()
    assert.isBelow(first?.byteLength ?? Infinity, 3_500)
  })
})
