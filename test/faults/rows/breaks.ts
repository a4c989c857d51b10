/** Connections and streams that break. */
import { breach } from "../breach.ts"
import { fails, processed, resent } from "../expected.ts"
import type { Row } from "../row.ts"
import { type Arrival, completionFor, event, events, json, type Protocol } from "../server/arrival.ts"

const h1: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS"]
const h2: ReadonlyArray<Protocol> = ["HTTP/2"]

/** A head, and a part of the body. */
const begin = (held: Arrival): void => {
  if (held.streamed) {
    held.head(200, events)
    held.data(event(held.id, "half "))
  } else {
    const body = completionFor(held.id)
    held.head(200, { ...json, "content-length": String(body.length) })
    held.data(body.slice(0, 40))
  }
}

/** Lets written bytes reach the wire first: a reset would overtake them. */
const afterwards = (f: () => void): void => void setTimeout(f, 20)

/** Codes of RST_STREAM, of which each in flight meets another; 99 is none. */
const early = [0, 1, 2, 8, 11]
const late = [0, 1, 2, 7, 8, 11, 99]

const codeOf = ({ id }: Arrival, codes: ReadonlyArray<number>): number => codes[Number(id.split("-").at(-1)) - 1]!

const cut = fails("Connection", { processed: "yes", attempts: 1 })

export const rows: ReadonlyArray<Row> = [
  {
    name: "RST before headers",
    kinds: ["chat", "stored"],
    strike: ({ line }) => line.rst(),
    expect: { inFlight: processed() }
  },
  {
    name: "FIN before headers",
    kinds: ["chat", "stored"],
    strike: ({ line }) => line.fin(),
    expect: { inFlight: processed() }
  },
  {
    name: "RST in mid body",
    kinds: ["chat", "stream", "stored"],
    strike: (held) => {
      begin(held)
      afterwards(() => held.line.rst())
    },
    expect: { inFlight: cut }
  },
  {
    name: "FIN in mid body",
    kinds: ["chat", "stream", "stored"],
    strike: (held) => {
      begin(held)
      held.line.fin()
    },
    expect: { inFlight: cut }
  },
  ...breach({
    name: "bytes that are not HTTP",
    strike: ({ line }) => line.raw(Buffer.alloc(64, "\u00ff\u00fe no HTTP\r\n\r\n", "latin1")),
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  }),
  {
    name: "half a head, then FIN",
    over: h1,
    strike: ({ line }) => {
      line.raw("HTTP/1.1 200 OK\r\ncontent-ty")
      line.fin()
    },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "half a head, then RST",
    over: h1,
    strike: ({ line }) => {
      line.raw("HTTP/1.1 200 OK\r\ncontent-ty")
      afterwards(() => line.rst())
    },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  },
  {
    // node:http2 says nothing of a head that has begun: to us it is a connection that ends.
    name: "half a head of HTTP/2, then FIN",
    over: h2,
    strike: ({ line, stream }) => {
      line.raw(Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, stream, 0x88]))
      line.fin()
    },
    expect: { inFlight: processed() }
  },
  {
    name: "bytes after the response",
    over: h1,
    strike: (held) => {
      const body = completionFor(held.id)
      const foreign = completionFor("nobody")
      held.line.raw(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}` +
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${foreign.length}\r\n\r\n${foreign}`
      )
    },
    expect: {}
  },
  {
    name: "10 sent and 40 unsent under a reset",
    inFlight: 10,
    queued: 40,
    strike: ({ line }) => line.rst(),
    expect: { inFlight: processed() }
  },
  {
    name: "GOAWAY with an id within its last",
    over: h2,
    strike: (held) => {
      held.line.goaway(held.stream)
      held.head(200, json)
      held.data(completionFor(held.id))
      held.end()
    },
    expect: {}
  },
  {
    name: "GOAWAY with an id above its last",
    over: h2,
    kinds: ["chat", "stored"],
    // The pool itself sends it anew.
    options: { maxRetries: 0 },
    strike: (held) => {
      held.refused()
      held.line.goaway(0)
    },
    expect: { inFlight: resent }
  },
  {
    name: "GOAWAY for an error, with an id above its last",
    over: h2,
    kinds: ["chat", "stored"],
    options: { maxRetries: 0 },
    strike: (held) => {
      held.refused()
      held.line.goaway(0, 2)
    },
    expect: { inFlight: resent }
  },
  {
    name: "REFUSED_STREAM",
    over: h2,
    kinds: ["chat", "stored"],
    // The pool itself sends it anew.
    options: { maxRetries: 0 },
    strike: (held) => {
      held.refused()
      held.reset(7)
    },
    expect: { inFlight: resent }
  },
  {
    name: `RST_STREAM before headers, code ${early.join(", ")}`,
    over: h2,
    kinds: ["chat", "stored"],
    inFlight: early.length,
    strike: (held) => held.reset(codeOf(held, early)),
    expect: { inFlight: processed() }
  },
  {
    name: `RST_STREAM in mid body, code ${late.join(", ")}`,
    over: h2,
    kinds: ["chat", "stream", "stored"],
    inFlight: late.length,
    strike: (held) => {
      begin(held)
      afterwards(() => held.reset(codeOf(held, late)))
    },
    expect: { inFlight: cut }
  }
]
