/** Real servers, backends of which some are dead, and providers with too little capacity. */
import type { Law } from "../law.ts"
import type { Scenario } from "../scenario.ts"
import { latencyOf, rows, span, status, timed } from "./parts.ts"

const CUT_MS = 45_000
/** Infinity is null in JSON. */
const FOREVER = 1e9

const dropped = (agents: number, more: Partial<Scenario> = {}): Scenario => ({
  name: `a server drops ${agents} connections once`,
  law: { latency: { low: 1_500, high: 2_500 }, drops: [1_000] },
  load: rows(agents, agents, CUT_MS),
  seconds: 6,
  ...more
})

const killed = (protocol: "http/1.1" | "h2"): Scenario => ({
  name: `nginx workers killed twice, 2,400 calls, ${protocol === "h2" ? "HTTP/2" : "HTTP/1.1"}`,
  law: { latency: latencyOf(100) },
  load: rows(100, 2_400, CUT_MS),
  front: { kind: "nginx", protocol, kills: [4_000, 10_000] },
  protocol,
  seconds: 21
})

const backends = (count: number, by: "connection" | "request", rules: Law["rules"]): Law => ({
  latency: latencyOf(200),
  backends: { count, by },
  rules
})

const dead = [0, 1].map((backend) => ({ fault: status(503), backend }))

const flood = (protocol: "http/1.1" | "h2", tenants: number): Scenario => ({
  name: `a quiet tenant beside ${tenants === 1 ? "one that floods" : `${tenants} that flood`}, ${protocol === "h2" ? "HTTP/2" : "HTTP/1.1"}`,
  law: { latency: { low: 2_000, high: 2_400 } },
  load: {
    groups: [
      { name: "quiet", agents: 5 },
      { name: "flood", agents: 600, keys: tenants }
    ],
    ms: 12_000,
    stagger: 2_000,
    cut: 40_000
  },
  protocol,
  // The default: the bound is what this is about.
  ours: { maxConnections: 256 },
  judged: "quiet",
  seconds: 15
})

export const servers: ReadonlyArray<Scenario> = [
  dropped(100, { isQuick: true }),
  dropped(250),
  dropped(500, { protocol: "h2", name: "HTTP/2: a server drops the connections of 500 requests once" }),
  killed("h2"),
  killed("http/1.1"),
  {
    name: "nginx limit_req (503), 900 calls",
    law: { latency: { low: 150, high: 250 } },
    load: rows(25, 900, CUT_MS),
    front: { kind: "nginx", protocol: "http/1.1", limit: { rate: 100, burst: 20 } },
    seconds: 11
  },
  {
    name: "connect that never succeeds, timeout 2000, maxRetries 0",
    law: { latency: { low: 100, high: 100 } },
    load: rows(20, 20, 70_000),
    front: { kind: "blackHole" },
    options: { timeout: 2_000, maxRetries: 0 },
    failsWithin: 2_500,
    seconds: 3,
    isQuick: true
  },
  {
    name: "half of four backends dead, by request, 200 agents",
    law: backends(4, "request", dead),
    load: rows(200, 1_600, CUT_MS),
    seconds: 15
  },
  {
    name: "half of four backends dead, one fast to fail on a kept connection, 200 agents",
    law: backends(4, "connection", [
      { fault: status(503, { after: 2 }), backend: 0 },
      { fault: { kind: "reset" }, backend: 1 }
    ]),
    load: rows(200, 1_600, CUT_MS),
    seconds: 15
  },
  {
    name: "half of four backends dead, each behind HTTP/2 sessions of its own, 60 agents",
    law: { ...backends(4, "connection", dead), latency: latencyOf(60) },
    load: rows(60, 900, CUT_MS),
    protocol: "h2",
    seconds: 15
  },
  flood("http/1.1", 1),
  flood("http/1.1", 100),
  flood("h2", 1),
  {
    name: "latency x 10 for 5 s, 100 agents",
    law: { latency: { low: 200, high: 400 }, slow: { ...span(4_000, 9_000), factor: 10 } },
    load: timed(100, 16_000),
    trouble: { from: 4_000, until: 9_000, kind: "partial" },
    seconds: 18
  },
  {
    name: "a slow server that queues until timeouts of 2 s, 100 agents",
    law: { latency: { low: 200, high: 400 }, slots: 50, slow: { ...span(4_000, 8_000), factor: 6 } },
    load: timed(100, 18_000),
    options: { timeout: 2_000 },
    trouble: { from: 4_000, until: 8_000, kind: "partial" },
    seconds: 20
  },
  {
    name: "capacity 200 of 500 (503 beyond)",
    law: { latency: latencyOf(500), capacity: [{ ...span(0, FOREVER), atOnce: 200 }] },
    load: timed(500, 12_000),
    seconds: 16
  },
  {
    name: "flapping: 1 s down, 1 s up, for 8 s, 100 agents",
    law: { latency: latencyOf(100), rules: [{ fault: status(503), during: span(4_000, 12_000), period: 2_000 }] },
    load: timed(100, 17_000),
    trouble: { from: 4_000, until: 12_000, kind: "partial" },
    seconds: 18
  },
  {
    name: "503 for 2 s, then 20 % of capacity for 5 s, 300 agents",
    law: {
      latency: latencyOf(300),
      rules: [{ fault: status(503), during: span(4_000, 6_000) }],
      capacity: [{ ...span(6_000, 11_000), atOnce: 60 }]
    },
    load: timed(300, 18_000),
    trouble: { from: 4_000, until: 11_000, kind: "partial" },
    seconds: 20
  }
]
