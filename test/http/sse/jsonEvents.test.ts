/** Events that are no JSON: they reach no SDK which would print them, and are left to our own parser. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { EventFilter } from "../../../src/internal/http/bodyFilter.ts"
import { eventSourceOf, streamOf } from "../../../src/internal/http/streamedResponse.ts"

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

/** The text that passes, and the error that ends it. */
const through = async (chunks: ReadonlyArray<Uint8Array>, most: number) => {
  const { body, isCancelled } = bodyOf(chunks)
  const stream = streamOf(body, new EventFilter({}, most, undefined, true), (failure) => failure)
  const all: Array<Uint8Array> = []
  const error = await (async () => {
    for await (const chunk of stream) all.push(chunk)
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

  it("pass as they came if they are JSON, however they are cut, and so do incomplete events", async () => {
    const unfinished = fc.constantFrom("", "data: {", "event: \x1b", "\r")
    await fc.assert(
      fc.asyncProperty(stream, unfinished, fc.array(fc.nat()), async (events, tail, at) => {
        const text = events + tail
        assert.deepStrictEqual(await through(cut(text, at), 1_000_000), { text, error: undefined, cancelled: false })
      })
    )
  })

  it("end with a failure at the first that is invalid JSON, and those before it are not lost", async () => {
    const bad = fc.constantFrom('{"a":"\x1b[2J"}', "{}\ndata: forged", "\x00", '{"half": "', "a\r\ndata: b")
    await fc.assert(
      fc.asyncProperty(stream, bad, end, stream, fc.array(fc.nat()), async (before, data, after, later, at) => {
        const passed = await through(cut(`${before}data: ${data}${after}${later}`, at), 1_000_000)
        assert.deepStrictEqual(
          { ...passed, text: passed.text.trimEnd() },
          {
            text: before.trimEnd(),
            error: "WireError: an event in the response's stream is invalid JSON",
            cancelled: true
          }
        )
      })
    )
  })

  it("are held only until they are longer than an event may be", async () => {
    const endless = Array.from({ length: 100 }, () => Buffer.from("x".repeat(100)))
    const { body, isCancelled } = bodyOf([Buffer.from("data: "), ...endless])
    const stream = streamOf(body, new EventFilter({}, 1_000, undefined, true), (failure) => failure)
    const error = await stream.getReader().read().catch(String)
    assert.include(String(error), "longer than transport.maxLineBytes (1000)")
    assert.isTrue(isCancelled())
    // "data: " and nine chunks may be held.
    assert.strictEqual(await body.read(), endless[10])
  })
})

describe("events for a parser of ours", () => {
  it("are given whole, invalid JSON among them, which it sees itself; one that has no end is not given", () => {
    const chunks = ["data: {}\n\nda", "ta: {\x1b\n\n", "data: 1\n"].map((text) => Buffer.from(text))
    const { body } = bodyOf(chunks)
    const stream = streamOf(body, new EventFilter({}, 1_000, undefined, true), (failure) => failure)
    stream.getReader()
    const source = eventSourceOf(stream)!
    return new Promise<void>((resolve, reject) => {
      const seen: Array<string> = []
      const sink = {
        enqueue: (chunk: Uint8Array) => {
          seen.push(Buffer.from(chunk).toString())
          source.pull(sink)
        },
        close: () => {
          assert.deepStrictEqual(seen, ["data: {}\n\n", "data: {\x1b\n\n"])
          resolve()
        },
        error: reject
      }
      source.pull(sink)
    })
  })
})
