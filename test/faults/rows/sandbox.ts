/** The sandbox's own faults, as users of the sandbox meet them. */
import { fails, processed, resent } from "../expected.ts"
import type { Row } from "../row.ts"

const cut = fails("Connection", { processed: "yes", attempts: 1 })

export const rows: ReadonlyArray<Row> = [
  {
    name: "sandbox: a reset before the headers",
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "resetBeforeHeaders" }, times: 1 },
    expect: { inFlight: processed() }
  },
  {
    name: "sandbox: a reset in mid body",
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "resetMidBody" } },
    expect: { inFlight: cut }
  },
  {
    name: "sandbox: a reset in mid body with NO_ERROR",
    over: ["HTTP/2"],
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "resetMidBody", code: 0 } },
    expect: { inFlight: cut }
  },
  {
    name: "sandbox: an answer shorter than its Content-Length",
    sandbox: { fault: { type: "truncate" } },
    expect: { inFlight: cut }
  },
  {
    name: "sandbox: headers that stall",
    options: { timeout: 1_200, maxRetries: 1 },
    sandbox: { fault: { type: "stall", at: "headers" } },
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 2 }) }
  },
  {
    name: "sandbox: a body that stalls",
    kinds: ["chat", "stream"],
    options: { bodyTimeout: 300 },
    sandbox: { fault: { type: "stall", at: "body" } },
    expect: { inFlight: fails("Timeout", { processed: "yes", attempts: 1 }) }
  },
  {
    name: "sandbox: a body that drips, and ends",
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "slowDrip", bytes: 100, every: 5 } },
    expect: {}
  },
  {
    name: "sandbox: half JSON",
    kinds: ["chat"],
    sandbox: { fault: { type: "garbage", what: "json" } },
    expect: { inFlight: fails("Malformed", { processed: "yes", attempts: 1 }) }
  },
  {
    name: "sandbox: bytes that are not HTTP",
    over: ["HTTP/1.1", "HTTP/1.1 over TLS"],
    sandbox: { fault: { type: "garbage", what: "protocol" } },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  },
  { name: "sandbox: GOAWAY beside an answer", sandbox: { fault: { type: "goAway" } }, expect: {} },
  {
    name: "sandbox: 503, then an answer",
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "status", status: 503 }, times: 1 },
    expect: { inFlight: resent }
  },
  {
    name: "sandbox: 429 with a Retry-After",
    kinds: ["chat", "stream"],
    sandbox: { fault: { type: "status", status: 429, headers: { "retry-after-ms": "50" } }, times: 1 },
    expect: { inFlight: resent }
  }
]
