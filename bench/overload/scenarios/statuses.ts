/** Failures drawn by chance, and answers that ask for a wait. */
import type { Scenario } from "../scenario.ts"
import { always, latencyOf, rows, span, status, timed } from "./parts.ts"

const CUT_MS = 45_000
/** Twice what the first two take; p-limit(64) would take more than a minute. */
const CROWD_CUT_MS = 25_000

const unavailable = (p: number): Scenario => ({
  name: `503 at p = ${p}, 500 agents x 5`,
  law: { latency: { low: 1_000, high: 2_000 }, rules: always(status(503), p) },
  load: rows(500, 2_500, CROWD_CUT_MS),
  seconds: CROWD_CUT_MS / 1000,
  isQuick: p === 0.5
})

const crowd = (agents: number, ms: number): Scenario => ({
  name: `503 at p = 0.5, ${agents} agent${agents === 1 ? "" : "s"}`,
  law: { latency: { low: 600, high: 1_000 }, rules: always(status(503), 0.5) },
  load: timed(agents, ms),
  seconds: ms / 1000 + 2
})

export const statuses: ReadonlyArray<Scenario> = [
  {
    name: "all is well, 200 agents",
    law: { latency: latencyOf(200) },
    load: timed(200, 8_000),
    seconds: 9,
    isQuick: true
  },
  unavailable(0.3),
  unavailable(0.5),
  unavailable(0.7),
  unavailable(0.9),
  crowd(1, 40_000),
  crowd(3, 20_000),
  crowd(20, 12_000),
  {
    name: "529 at p = 0.5, 100 agents",
    law: { latency: latencyOf(100), rules: always(status(529), 0.5) },
    load: rows(100, 1_000, CUT_MS),
    seconds: 14
  },
  {
    name: "500 at p = 0.3, 100 agents",
    law: { latency: latencyOf(100), rules: always(status(500), 0.3) },
    load: rows(100, 1_000, CUT_MS),
    seconds: 9
  },
  {
    name: "429 at p = 0.5 without Retry-After, 100 agents",
    law: { latency: latencyOf(100), rules: always(status(429), 0.5) },
    load: rows(100, 1_000, CUT_MS),
    seconds: 14
  },
  {
    name: "resets at p = 0.3, 100 agents",
    law: { latency: latencyOf(100), rules: always({ kind: "reset" }, 0.3) },
    load: rows(100, 1_000, CUT_MS),
    seconds: 10
  },
  {
    name: "1,000 rows, 50 at a time, 500 for 1.5 s",
    law: { latency: latencyOf(50), rules: [{ fault: status(500), during: span(4_000, 5_500) }] },
    load: rows(50, 1_000, CUT_MS),
    seconds: 13,
    trouble: { from: 4_000, until: 5_500, kind: "dead" },
    isQuick: true
  },
  {
    name: "503 at p = 0.6 for 6 s, 500 agents",
    law: { latency: latencyOf(500), rules: [{ fault: status(503), p: 0.6, during: span(6_000, 12_000) }] },
    load: timed(500, 18_000),
    seconds: 21,
    trouble: { from: 6_000, until: 12_000, kind: "partial" }
  },
  {
    name: "429 with Retry-After: 1 for 3.5 s, answers take 2 to 4 s, 300 agents",
    law: {
      latency: { low: 2_000, high: 4_000 },
      rules: [{ fault: status(429, { retryAfter: "1" }), during: span(9_000, 12_500) }]
    },
    load: timed(300, 22_000, 3_000),
    seconds: 26,
    trouble: { from: 9_000, until: 12_500, kind: "partial" }
  },
  {
    name: "one 503 with Retry-After: 3600, one 429 with 86400, else well",
    law: {
      latency: latencyOf(50),
      rules: [
        { fault: status(503, { retryAfter: "3600" }), nth: 100 },
        { fault: status(429, { retryAfter: "86400" }), nth: 200 }
      ]
    },
    load: rows(50, 1_000, CUT_MS),
    seconds: 11,
    isQuick: true
  },
  {
    name: "model A always 500, B 500 at p = 0.2, one key: B",
    law: {
      latency: latencyOf(50),
      rules: [
        { fault: status(500), model: "a" },
        { fault: status(500), p: 0.2, model: "b" }
      ]
    },
    load: {
      groups: [
        { name: "a", agents: 50, rows: 300, model: "a" },
        { name: "b", agents: 50, rows: 500, model: "b" }
      ],
      stagger: 300,
      cut: CUT_MS
    },
    seconds: 10,
    judged: "b"
  },
  {
    name: "streams, 503 at p = 0.5, 100 agents",
    law: { latency: latencyOf(100), rules: always(status(503), 0.5) },
    load: { ...rows(100, 800, CUT_MS), stream: true },
    seconds: 12
  },
  {
    name: "HTTP/2, 503 at p = 0.5, 200 agents",
    law: { latency: latencyOf(200), rules: always(status(503), 0.5) },
    load: rows(200, 1_200, CUT_MS),
    protocol: "h2",
    seconds: 14
  }
]
