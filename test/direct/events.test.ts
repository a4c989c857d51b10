/** Events of a stream, wherever its bytes are cut, by the rules of the HTML standard (9.2.6). */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { EventReader, type ServerEvent } from "../../src/internal/direct/events.ts"

const read = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<ServerEvent> => {
  const reader = new EventReader()
  return chunks.flatMap((chunk) => [...reader.read(chunk)])
}

const parse = (text: string): ReadonlyArray<ServerEvent> => read([Buffer.from(text)])

/** The standard's algorithm, line by line, but for events whose data is empty. */
const reference = (text: string): ReadonlyArray<ServerEvent> => {
  const events: Array<ServerEvent> = []
  let name = ""
  let data: Array<string> = []
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/)
  // What follows the last line break is no line.
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.join("\n") !== "") events.push({ name, data: data.join("\n") })
      name = ""
      data = []
      continue
    }
    const colon = line.indexOf(":")
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "data") data.push(value)
    if (field === "event") name = value
  }
  return events
}

const cuts = fc.array(fc.nat(500), { maxLength: 8 })

const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const all = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b
  )
  return all.slice(1).map((end, i) => bytes.subarray(all[i], end))
}

const word = fc.oneof(
  fc.constantFrom("", " ", ":", "data:", "ä", "𝄞", "[DONE]"),
  fc.stringMatching(/^[a-z{}": ]{0,9}$/)
)
const line = fc.oneof(
  word.map((value) => `data:${value}`),
  word.map((value) => `data: ${value}`),
  word.map((value) => `event: ${value}`),
  word.map((value) => `: ${value}`),
  word.map((value) => `id:${value}`),
  fc.constantFrom("data", "event", "retry: 1", "database: 1")
)
const event = fc.array(line, { minLength: 1, maxLength: 4 })

describe("a reader of events", () => {
  it("gives what the standard's algorithm gives, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 5 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.boolean(),
        cuts,
        (events, end, hasMark, places) => {
          const text =
            (hasMark ? "\ufeff" : "") + events.map((lines) => lines.map((one) => one + end).join("") + end).join("")
          assert.deepStrictEqual(read(cut(Buffer.from(text), places)), reference(text))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("gives no event that its empty line has not ended", () => {
    assert.deepStrictEqual(parse("data: a\n\ndata: b\n"), [{ name: "", data: "a" }])
  })

  it("joins the lines of one event, and tells its name", () => {
    assert.deepStrictEqual(parse("event: error\ndata: a\ndata:b\n\n"), [{ name: "error", data: "a\nb" }])
  })

  it("skips comments, fields that it does not know, and events without data", () => {
    assert.deepStrictEqual(parse(": ping\n\nid: 1\n\nevent: ping\n\ndata:\n\ndata: a\n\n"), [{ name: "", data: "a" }])
  })
})
