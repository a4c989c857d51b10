/** Answers that servers should not give, and some that they may though few do. */
import { breach, deaf } from "../breach.ts"
import { answered, fails, processed, resent } from "../expected.ts"
import { until } from "../../support/wait.ts"
import type { Row } from "../row.ts"
import { type Arrival, completionFor, contentFor, json, type Protocol } from "../server/arrival.ts"

const h1: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS"]
const h2: ReadonlyArray<Protocol> = ["HTTP/2"]

const frame = (type: number, flags: number, stream: number, payload: ReadonlyArray<number>): Buffer =>
  Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload])

const say = (held: Arrival, status = 200): void => {
  const body = completionFor(held.id)
  held.head(status, { ...json, "content-length": String(body.length) })
  held.data(body)
  held.end()
}

/** A whole answer of HTTP/1.1 as text. */
const written = (id: string, fields = ""): string => {
  const body = completionFor(id)
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`
}

const afterwards = (f: () => void): void => void setTimeout(f, 50)

const malformed = (processed: "maybe" | "yes") => fails("Malformed", { processed, attempts: 1 })

const early = (held: Arrival): void => {
  held.head(100)
  say(held)
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "bytes on an idle connection",
    over: h1,
    queued: 0,
    strike: (held) => {
      say(held)
      afterwards(() => held.line.raw(written("nobody")))
    },
    heal: ({ provider }) => until(() => provider.open() === 0),
    expect: {},
    check: ({ provider }) => (provider.connections() === 2 ? undefined : "the connection was used again")
  },
  {
    // HTTP/1.1 answers in order and by no name: whatever comes next is the answer to whatever was asked last. No
    // client can know better once the next request has left.
    name: "bytes that arrive after the next request was sent",
    over: h1,
    strike: (held) => say(held),
    again: ({ id }) => (id.startsWith("queued") ? ({ line }) => line.raw(written("nobody")) : undefined),
    expect: { queued: answered(contentFor("nobody")) }
  },
  {
    name: "Connection: close, and no more",
    over: h1,
    strike: ({ id, line }) => {
      line.raw(written(id, "connection: close\r\n"))
      line.fin()
    },
    expect: {}
  },
  {
    name: "Connection: close, and never closed",
    over: h1,
    strike: ({ id, line }) => line.raw(written(id, "connection: close\r\n")),
    expect: {}
  },
  {
    name: "both Content-Length and Transfer-Encoding",
    over: h1,
    strike: ({ id, line }) => line.raw(written(id, "transfer-encoding: chunked\r\n")),
    expect: { inFlight: malformed("maybe") }
  },
  {
    name: "a chunk with an invalid length",
    over: h1,
    strike: ({ line }) =>
      line.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}"),
    expect: { inFlight: malformed("yes") }
  },
  {
    name: "101 without a request for it",
    over: h1,
    strike: ({ line }) => line.raw("HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"),
    expect: { inFlight: malformed("maybe") }
  },
  { name: "100 before the answer", strike: early, expect: {} },
  { name: "299", strike: (held) => say(held, 299), expect: {} },
  { name: "an invalid status", strike: (held) => say(held, 999), expect: { inFlight: fails("Malformed") } },
  {
    name: "trailers",
    over: h2,
    strike: (held) => {
      held.head(200, json)
      held.data(completionFor(held.id))
      // :status is no trailer, so a field of its own; without indexing, x: y.
      held.line.raw(frame(1, 5, held.stream, [0, 1, 0x78, 1, 0x79]))
    },
    expect: {}
  },
  {
    // Receivers must ignore them (RFC 9113, section 4.1), and nghttp2 reports them to nobody.
    name: "frames of an unknown type",
    over: h2,
    strike: (held) => {
      held.line.raw(frame(0x77, 0xff, held.stream, [1, 2, 3]))
      held.line.raw(frame(0x78, 0, 0, [1]))
      say(held)
    },
    expect: {}
  },
  ...breach({
    name: "a body before its head",
    over: h2,
    strike: (held) => held.data("early"),
    expect: { inFlight: malformed("maybe") }
  }),
  {
    // nghttp2 itself resets such a stream, so to us it is one that was reset.
    name: "a head with a name in upper case",
    over: h2,
    strike: (held) => held.line.raw(frame(1, 4, held.stream, [0x88, 0, 1, 0x58, 1, 0x79])),
    expect: { inFlight: processed() }
  },
  {
    name: "a body longer than its Content-Length",
    over: h2,
    strike: (held) => {
      held.head(200, { ...json, "content-length": "5" })
      held.data(completionFor(held.id))
      held.end()
    },
    expect: { inFlight: deaf ? fails("Connection", { processed: "yes", attempts: 1 }) : malformed("yes") }
  },
  {
    name: "a body shorter than its Content-Length",
    over: h2,
    strike: (held) => {
      held.head(200, { ...json, "content-length": "5000" })
      held.data(completionFor(held.id))
      held.end()
    },
    expect: { inFlight: fails("Connection", { processed: "yes", attempts: 1 }) }
  },
  {
    name: "RST before headers, and nothing ambiguous may be repeated",
    options: { retryAmbiguous: "never" },
    strike: ({ line }) => line.rst(),
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "RST before headers under a key of the caller's own",
    kinds: ["keyed"],
    strike: ({ line }) => line.rst(),
    expect: { inFlight: resent }
  }
]
