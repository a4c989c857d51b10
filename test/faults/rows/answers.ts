/** Answers that come, and are none: not whole, not JSON, not readable, or a refusal. */
import { gzipSync } from "node:zlib"
import type { RequestReason } from "../../../src/ClientError.ts"
import { fails, processed, resent } from "../expected.ts"
import { type Row, wasInFlight } from "../row.ts"
import { type Arrival, completionFor, event, events, type Fields, json } from "../server/arrival.ts"

/** An answer in one piece, its length said. */
const say = (held: Arrival, status: number, fields: Fields, body: string | Uint8Array): void => {
  held.head(status, { ...fields, "content-length": String(Buffer.byteLength(body)) })
  held.data(body)
  held.end()
}

/** The same, of unknown length. */
const stream = (held: Arrival, fields: Fields, body: string | Uint8Array): void => {
  held.head(200, fields)
  held.data(body)
  held.end()
}

const refusal = (message: string): string =>
  JSON.stringify({ error: { message, type: "test", param: null, code: null } })

const malformed = fails("Malformed", { processed: "yes", attempts: 1 })
const html = { "content-type": "text/html; charset=utf-8" }
const text = { "content-type": "text/plain" }
const page = "<!doctype html><title>Welcome to the airport</title>"
const gzip = { ...json, "content-encoding": "gzip" }

/** Nonsense in the place of an answer. */
const nonsense: ReadonlyArray<readonly [name: string, strike: (held: Arrival) => void]> = [
  ["HTML", (held) => say(held, 200, html, page)],
  ["HTML of unknown length", (held) => stream(held, html, page)],
  ["HTML as application/json", (held) => say(held, 200, json, page)],
  ["plain text that begins as JSON does", (held) => say(held, 200, text, "[error] upstream")],
  ["null", (held) => say(held, 200, json, "null")],
  ["events where one answer is requested", (held) => stream(held, events, event(held.id, held.id, "stop"))],
  ["plain text", (held) => say(held, 200, text, "upstream connect error")],
  ["half JSON", (held) => say(held, 200, json, completionFor(held.id).slice(0, 50))],
  ["half JSON of unknown length", (held) => stream(held, json, completionFor(held.id).slice(0, 50))],
  ["nothing", (held) => say(held, 200, json, "")],
  ["nothing, of unknown length", (held) => stream(held, {}, "")],
  ["204", (held) => (held.head(204, {}), held.end())]
]

const encoded: ReadonlyArray<readonly [name: string, strike: (held: Arrival) => void]> = [
  ["gzip that is cut", (held) => say(held, 200, gzip, gzipSync(completionFor(held.id)).subarray(0, -12))],
  [
    "gzip of unknown length that is cut",
    (held) => stream(held, gzip, gzipSync(completionFor(held.id).padEnd(200_000)).subarray(0, -12))
  ],
  ["invalid gzip", (held) => say(held, 200, gzip, completionFor(held.id))],
  ["an unknown encoding", (held) => say(held, 200, { ...json, "content-encoding": "rot13" }, completionFor(held.id))],
  [
    "6 encodings",
    (held) => {
      let body: Uint8Array = Buffer.from(completionFor(held.id))
      for (let i = 0; i < 6; i++) body = gzipSync(body)
      say(held, 200, { ...json, "content-encoding": "gzip, gzip, gzip, gzip, gzip, gzip" }, body)
    }
  ]
]

const once: ReadonlyArray<readonly [status: number, reason: RequestReason]> = [
  [400, "BadRequest"],
  [401, "Authentication"],
  [403, "Permission"],
  [404, "NotFound"],
  [422, "BadRequest"]
]

const refused = (status: number) => (held: Arrival) => say(held, status, json, refusal(`no ${status}`))

export const rows: ReadonlyArray<Row> = [
  ...nonsense.map(([name, strike]): Row => ({ name: `200 with ${name}`, strike, expect: { inFlight: malformed } })),
  {
    name: "200 with HTML on a path that generates nothing",
    kinds: ["stored"],
    strike: (held) => stream(held, html, page),
    expect: { inFlight: malformed }
  },
  {
    name: "200 with plain text on a path that generates nothing",
    kinds: ["stored"],
    strike: (held) => say(held, 200, text, "no healthy upstream"),
    expect: { inFlight: malformed }
  },
  {
    name: "200 with an answer in JSON as text/plain",
    strike: (held) => say(held, 200, text, completionFor(held.id)),
    expect: {}
  },
  {
    name: "200 with an answer in JSON without a type, of unknown length",
    strike: (held) => stream(held, {}, completionFor(held.id)),
    expect: {}
  },
  {
    name: "200 with an error in JSON",
    strike: (held) => say(held, 200, json, refusal("overloaded")),
    expect: { inFlight: fails("Server", { processed: "yes", attempts: 1, says: "overloaded" }) }
  },
  ...encoded.map(([name, strike]): Row => ({ name, strike, expect: { inFlight: malformed } })),
  {
    name: "gzip on a 429",
    options: { maxRetries: 0 },
    strike: (held) => say(held, 429, gzip, gzipSync(refusal("too many, and too fast"))),
    expect: {
      inFlight: fails("RateLimited", { status: 429, attempts: 1, says: "too many, and too fast" })
    }
  },
  ...(
    [
      ["half JSON", (held) => say(held, 200, json, completionFor(held.id).slice(0, 50))],
      ["half JSON of unknown length", (held) => stream(held, json, completionFor(held.id).slice(0, 50))],
      ["an answer in JSON", (held) => say(held, 200, json, completionFor(held.id))],
      ["JSON as text/plain", (held) => say(held, 200, text, completionFor(held.id))]
    ] satisfies typeof nonsense
  ).map(([name, strike]): Row => ({
    name: `200 with ${name} where events are requested`,
    kinds: ["stream"],
    strike,
    expect: { inFlight: malformed }
  })),
  {
    name: "200 with an error in JSON where events are requested",
    kinds: ["stream"],
    strike: (held) => say(held, 200, json, refusal("overloaded")),
    expect: { inFlight: fails("Server", { processed: "yes", attempts: 1, says: "overloaded" }) }
  },
  {
    name: "an event stream without a finish reason or [DONE]",
    kinds: ["stream"],
    strike: (held) => stream(held, events, event(held.id, "half ")),
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "an event stream without an event",
    kinds: ["stream"],
    strike: (held) => stream(held, events, ""),
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "an event stream cut in an event",
    kinds: ["stream"],
    strike: (held) => stream(held, events, `${event(held.id, "half ")}data: {"choices":[{"finish_reason":`),
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "an event stream cut in the event with the finish reason",
    kinds: ["stream"],
    strike: (held) => stream(held, events, event(held.id, "half ") + event(held.id, held.id, "stop").slice(0, -4)),
    expect: { inFlight: fails("Connection", { processed: "maybe", attempts: 1 }) }
  },
  {
    name: "an event stream with a finish reason, without [DONE]",
    kinds: ["stream"],
    strike: (held) =>
      stream(held, events, `${event(held.id, "answer to ")}${event(held.id, held.id)}${event(held.id, "", "stop")}`),
    expect: {}
  },
  {
    name: "an error event in mid stream",
    kinds: ["stream"],
    strike: (held) => stream(held, events, `${event(held.id, "half ")}data: ${refusal("overloaded")}\n\n`),
    expect: { inFlight: fails("Server", { processed: "yes", attempts: 1, says: "overloaded" }) }
  },
  {
    name: "an event that is an error by its name alone",
    kinds: ["stream"],
    strike: (held) =>
      stream(held, events, `${event(held.id, "half ")}event: error\ndata: {"message":"overloaded"}\n\n`),
    expect: { inFlight: fails("Server", { processed: "yes", attempts: 1 }) }
  },
  ...once.map(([status, reason]): Row => ({
    name: `${status}`,
    strike: refused(status),
    expect: { inFlight: fails(reason, { status, processed: "yes", attempts: 1 }) }
  })),
  ...[408, 409, 500, 502, 503, 504, 529].flatMap((status): ReadonlyArray<Row> => [
    {
      name: `${status}, then an answer`,
      strike: refused(status),
      expect: { inFlight: resent }
    },
    {
      name: `${status} each time`,
      // Nor does it wait until somebody is there.
      options: { maxRetries: 1, maxRetryAfter: 0 },
      strike: refused(status),
      again: (arrival) => (wasInFlight(arrival) ? refused(status) : undefined),
      expect: { inFlight: fails("Server", { status, processed: "yes", attempts: 2 }) }
    }
  ]),
  ...[503, 400].map((status): Row => ({
    name: `${status} whose body is cut`,
    strike: (held) => {
      held.head(status, { ...json, "content-length": "900" })
      held.data(refusal(`no ${status}`).slice(0, 20))
      held.line.fin()
    },
    expect: { inFlight: status === 503 ? resent : fails("BadRequest", { status, processed: "yes", attempts: 1 }) }
  })),
  {
    name: "503 whose body is cut in mid gzip",
    options: { maxRetries: 0 },
    strike: (held) => say(held, 503, gzip, gzipSync(refusal("overloaded, and much more".repeat(9))).subarray(0, -12)),
    expect: { inFlight: fails("Server", { status: 503, processed: "yes", attempts: 1 }) }
  },
  {
    name: "503 whose body stalls",
    strike: (held) => {
      held.head(503, json)
      held.data(refusal("no 503").slice(0, 20))
    },
    expect: { inFlight: resent }
  },
  {
    name: "503 for a request that must not be repeated",
    kinds: ["stored"],
    strike: refused(503),
    expect: { inFlight: fails("Server", { status: 503, attempts: 1 }) }
  },
  {
    name: "a redirect to another origin",
    strike: (held) => say(held, 307, { location: "http://127.0.0.2:9/v1" }, ""),
    expect: { inFlight: fails("BadRequest", { attempts: 1 }) }
  },
  {
    name: "an idle socket that closes as a POST leaves",
    over: ["HTTP/1.1", "HTTP/1.1 over TLS"],
    kinds: ["chat", "stored"],
    again: ({ id, line }) => (line.index === 1 && id.startsWith("queued") ? () => line.rst() : undefined),
    expect: { queued: processed() }
  }
]
