/** Servers that say nothing, or too little, or never stop. */
import { until } from "../../support/wait.ts"
import { breach } from "../breach.ts"
import { fails, processed, resent } from "../expected.ts"
import { type Row, wasInFlight } from "../row.ts"
import { type Arrival, completionFor, event, events, json, type Protocol } from "../server/arrival.ts"

const h1: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/1.1 over TLS"]
const h2: ReadonlyArray<Protocol> = ["HTTP/2"]

const silence = (): void => undefined

/** So often that no row outlasts it, and no longer. */
const drip = (every: number, f: (nth: number) => void): void => {
  let nth = 0
  const timer = setInterval(() => {
    f(++nth)
    if (nth === 200) clearInterval(timer)
  }, every)
  timer.unref()
}

/** A row of a fault that meets those in flight each time that they come. */
const always = (row: Row & Pick<Required<Row>, "strike">): Row => ({
  ...row,
  again: (arrival) => (wasInFlight(arrival) ? row.strike : undefined)
})

const late = fails("Timeout", { processed: "maybe", attempts: 2 })
const hasty = { timeout: 1_200, maxRetries: 1 }

const tooLate = fails("Timeout", { processed: "yes", attempts: 1 })

/** The beginning of an answer that goes on. */
const begin = (held: Arrival): void => {
  held.head(200, held.streamed ? events : json)
  held.data(held.streamed ? event(held.id, "half ") : completionFor(held.id).slice(0, 20))
}

const frame = (type: number, flags: number, stream: number, payload: ReadonlyArray<number>): Buffer =>
  Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload])

const continuation = (stream: number): Buffer => frame(9, 0, stream, [0, 1, 0x78, 1, 0x79])

export const rows: ReadonlyArray<Row> = [
  always({ name: "no headers", options: hasty, strike: silence, expect: { inFlight: late } }),
  {
    name: "no headers, the first time",
    options: hasty,
    strike: silence,
    expect: { inFlight: resent }
  },
  {
    name: "no headers, for a request that must not be repeated",
    kinds: ["stored"],
    options: hasty,
    strike: silence,
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 1 }) }
  },
  always({
    name: "no headers before a deadline, whatever the timeout and the retries",
    // A request that waits for a connection may get one in the moment before its deadline passes.
    queued: 0,
    options: { deadline: 3_000 },
    strike: silence,
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 1, says: "deadline of 3000 ms" }) }
  }),
  {
    name: "a reset, and then no headers before a deadline",
    queued: 0,
    options: { deadline: 3_000 },
    strike: ({ line }) => line.rst(),
    again: (arrival) => (wasInFlight(arrival) ? silence : undefined),
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 2, says: "before that: Connection" }) }
  },
  always({
    name: "a head that drips",
    over: h1,
    options: hasty,
    strike: ({ line }) => {
      line.raw("HTTP/1.1 200 OK\r\n")
      drip(20, (nth) => line.raw(`x-${nth}: y\r\n`))
    },
    expect: { inFlight: late }
  }),
  {
    name: "a head of HTTP/2 that drips",
    over: h2,
    options: { timeout: 300, maxRetries: 0 },
    // While a head is incomplete nothing else may come on its connection, so that is of no use to those behind it.
    queued: 0,
    strike: ({ line, stream }) => {
      line.raw(frame(1, 0, stream, [0x88]))
      drip(70, (nth) => (nth < 6 ? line.raw(continuation(stream)) : line.rst()))
    },
    heal: ({ provider }) => until(() => provider.open() === 0),
    expect: { inFlight: fails("Timeout", { processed: "maybe", attempts: 1 }) }
  },
  {
    // nghttp2 takes 8 of them at most: a longer head is no HTTP/2 to it.
    name: "a flood of CONTINUATION",
    over: h2,
    queued: 0,
    strike: ({ line, stream }) => {
      line.raw(frame(1, 0, stream, [0x88]))
      for (let i = 0; i < 20; i++) line.raw(continuation(stream))
    },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  },
  always({
    name: "103 that drips",
    options: hasty,
    strike: (held) => drip(20, () => held.head(103, { link: "</style.css>; rel=preload" })),
    expect: { inFlight: late }
  }),
  always({
    name: "a flood of 103",
    options: hasty,
    strike: (held) =>
      drip(5, () => {
        for (let i = 0; i < 50; i++) held.head(103, { link: "</style.css>; rel=preload" })
      }),
    expect: { inFlight: late }
  }),
  {
    name: "a body that stalls",
    kinds: ["chat", "stream"],
    options: { bodyTimeout: 250 },
    strike: begin,
    expect: { inFlight: tooLate }
  },
  {
    name: "a body that drips for ever",
    kinds: ["chat", "stream"],
    // A request that waits for its connection has the same deadline.
    queued: 0,
    options: { bodyTimeout: 10_000, deadline: 3_000 },
    strike: (held) => {
      begin(held)
      drip(20, () => held.data(held.streamed ? event(held.id, "more ") : " "))
    },
    expect: { inFlight: tooLate }
  },
  ...breach({
    name: "a head over 16 KB",
    strike: (held) => {
      held.head(200, { ...json, "x-long": "x".repeat(17_000) })
      held.data(completionFor(held.id))
      held.end()
    },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  }),
  {
    name: "a head of more than 128 fields",
    strike: (held) => {
      const fields = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`x-${i}`, "y"]))
      held.head(200, { ...json, ...fields })
      held.data(completionFor(held.id))
      held.end()
    },
    expect: { inFlight: fails("Malformed", { processed: "maybe", attempts: 1 }) }
  },
  {
    // Node itself resets the stream of a head beyond 8 times the bounds, with a code that servers use too, and hands on
    // none of it: to us it is one that was reset.
    name: "a head of HTTP/2 of more than 1,024 fields",
    over: h2,
    kinds: ["chat", "stored"],
    strike: (held) => held.head(200, Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`x-${i}`, "y"]))),
    expect: { inFlight: processed() }
  },
  {
    name: "a body that is too big",
    options: { transport: { maxResponseBytes: 100_000 } },
    strike: (held) => {
      held.head(200, json)
      for (let i = 0; i < 4; i++) held.data(" ".repeat(16_000))
      drip(1, () => held.data(" ".repeat(8_000)))
    },
    expect: { inFlight: fails("Malformed", { processed: "yes", attempts: 1 }) }
  }
]
