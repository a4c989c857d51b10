/** Server-sent events, parsed from bytes that are cut anywhere: against a plain reading of the standard and another parser. */
import { createParser } from "eventsource-parser"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { EventParser } from "../../../src/internal/http/sse/parser.ts"
import { EventScanner } from "../../../src/internal/http/sse/scanner.ts"

interface Plain {
  readonly name: string
  readonly data: string
}

/** The standard's algorithm, line by line over the whole text. Events that no empty line ends are dropped. */
const reference = (text: string): ReadonlyArray<Plain> => {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)
  // Without a line end of its own.
  lines.pop()
  const events: Array<Plain> = []
  let name = ""
  let data: Array<string> = []
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push({ name, data: data.join("\n") })
      name = ""
      data = []
      continue
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
    if (field === "data") data.push(value)
    if (field === "event") name = value
  }
  return events
}

const plain = ({ data, name }: Plain): Plain => ({ name, data })

/** The events of each push. */
const parse = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<ReadonlyArray<Plain>> => {
  const parser = new EventParser()
  return chunks.map((chunk) => parser.push(chunk).map(plain))
}

const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const all = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  // Pools of Buffers and plain arrays alike, each a copy: nothing may be kept that is not the parser's own.
  return all.slice(1).map((end, i) => Uint8Array.from(bytes.subarray(all[i], end)))
}

const lineEnd = fc.constantFrom("\n", "\n", "\r\n", "\r")
const field = fc.oneof(
  fc.constantFrom(
    "data",
    "data:",
    "data: ",
    "data:  two",
    "dataless: no",
    "datå: no",
    ": comment",
    "id: 1",
    "retry: 3"
  ),
  fc.constantFrom("event: error", "event:ping", "event", "events: no", " data: no", "data: [DONE]", ":", "x"),
  fc.string({ unit: fc.constantFrom("a", ":", " ", "ü", "漢", "🙂", "{", '"') }).map((text) => `data: ${text}`)
)
const line = fc.tuple(fc.oneof({ weight: 3, arbitrary: field }, { weight: 2, arbitrary: fc.constant("") }), lineEnd)
const stream = fc
  .tuple(fc.constantFrom("", "", "\ufeff"), fc.array(line, { maxLength: 30 }), fc.oneof(field, fc.constant("")))
  .map(([mark, lines, rest]) => mark + lines.map((parts) => parts.join("")).join("") + rest)
const places = fc.array(fc.nat(), { maxLength: 12 })

describe("an event parser", () => {
  it("reads what the standard says, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(stream, places, (text, at) => {
        expect(parse(cut(Buffer.from(text), at)).flat()).toEqual(reference(text))
      }),
      { numRuns: 2_000 }
    )
  })

  it("agrees with eventsource-parser", () => {
    fc.assert(
      fc.property(stream, places, (text, at) => {
        const theirs: Array<Plain> = []
        const parser = createParser({ onEvent: ({ data, event = "" }) => theirs.push({ name: event, data }) })
        // It leaves the byte order mark to the decoder, and holds a trailing CR back until more comes.
        parser.feed(`${text.replace(/^\ufeff/, "")}\n\n`)
        expect(parse([...cut(Buffer.from(text), at), Buffer.from("\n\n")]).flat()).toEqual(theirs)
      }),
      { numRuns: 1_000 }
    )
  })

  it("returns each event with the read that ends it", () => {
    fc.assert(
      fc.property(stream, places, (text, at) => {
        const chunks = cut(Buffer.from(text), at)
        let seen = Buffer.alloc(0)
        let count = 0
        for (const [i, events] of parse(chunks).entries()) {
          seen = Buffer.concat([seen, chunks[i]!])
          count += events.length
          // Cut within a character the text differs, but not in its lines.
          expect(count).toBe(reference(seen.toString()).length)
        }
      })
    )
  })

  it("returns the events of one read together", () => {
    const [first, second] = parse([Buffer.from("data: 1\n\ndata: 2\r\rdata"), Buffer.from(": 3\r\n\r\n")])
    expect(first!.map(({ data }) => data)).toEqual(["1", "2"])
    expect(second!.map(({ data }) => data)).toEqual(["3"])
  })
})

describe("a scanner of events", () => {
  it("counts lines of data but for [DONE] in whole lines, and measures the longest event", () => {
    fc.assert(
      fc.property(stream, fc.nat(), (text, place) => {
        const lines = text.split(/\r\n|\r|\n/)
        const scanner = new EventScanner()
        // Between two lines: `[DONE]` counts where it is cut.
        const starts = [...text.matchAll(/\r\n|\r(?!\n)|\n/g)].map(({ 0: end, index }) => index + end.length)
        const at = Buffer.byteLength(text.slice(0, starts[place % (starts.length + 1)] ?? text.length))
        const bytes = Buffer.from(text)
        scanner.scan(bytes.subarray(0, at))
        scanner.scan(bytes.subarray(at))
        let size = 0
        const sizes = lines.map((one) => (size = one === "" ? 0 : size + Buffer.byteLength(one)))
        expect(scanner.longest).toBe(Math.max(0, ...sizes))
        expect(scanner.dataLines).toBe(lines.filter((one) => /^d(?!ata: \[)/.test(one)).length)
      })
    )
  })

  it("searches a chunk for line ends of a kind that it lacks once, not for each line", () => {
    for (const end of ["\r", "\n"]) {
      const bytes = Buffer.from(`data: 1${end}${end}`.repeat(100))
      let searches = 0
      const counted = Object.assign(bytes, {
        indexOf: (byte: number, from: number) => {
          searches++
          return Buffer.prototype.indexOf.call(bytes, byte, from)
        }
      })
      expect(new EventScanner().scan(counted)).toBe(bytes.length)
      expect(searches).toBe(101)
    }
  })
})
