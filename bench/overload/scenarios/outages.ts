/** Times in which nothing is answered, and how many ask through them. */
import type { Fault } from "../law.ts"
import type { Scenario } from "../scenario.ts"
import { latencyOf, span, status, timed } from "./parts.ts"

const agentsText = (agents: number): string => `${agents.toLocaleString("en")} agent${agents === 1 ? "" : "s"}`

/** Long enough before the outage that all agents have had answers, and after it that they have them again. */
const frame = (agents: number, ms: number) => {
  const latency = latencyOf(agents)
  const from = 3_500 + latency.high
  return { latency, from, until: from + ms, end: from + ms + 4_000 + latency.high }
}

interface More extends Omit<Partial<Scenario>, "load" | "law" | "trouble"> {
  readonly fault?: Fault
  readonly what?: string
}

/** An outage of `ms`, by default of 503 at once. */
const outage = (agents: number, ms: number, { fault = status(503), what = "503", ...more }: More = {}): Scenario => {
  const { end, from, latency, until } = frame(agents, ms)
  const isShort = ms <= 10_000
  const isUntouched = fault.kind === "status"
  const isPatient = more.options?.maxRetries !== 0 && more.ours?.queueTimeout === undefined
  return {
    name: `${what} for ${ms / 1000} s, ${agentsText(agents)}`,
    law: { latency, rules: [{ fault, during: span(from, until) }] },
    load: timed(agents, end),
    seconds: (end + latency.high) / 1000,
    trouble: { from, until, kind: "dead" },
    whole: isShort && isUntouched && isPatient,
    ...more
  }
}

const refused = (agents: number, ms: number, more: More = {}): Scenario => {
  const { end, from, latency, until } = frame(agents, ms)
  return {
    name: `${more.what ?? "connection refused"} for ${ms / 1000} s, ${agentsText(agents)}`,
    // Connections are destroyed at its start, with requests that had been worked on.
    law: { latency, refuse: span(from, until) },
    load: timed(agents, end),
    seconds: (end + latency.high) / 1000,
    trouble: { from, until, kind: "dead" },
    whole: true,
    ...more
  }
}

const stalled = (agents: number, ms: number): Scenario =>
  outage(agents, ms, { fault: { kind: "hang" }, what: "no answer, timeout 2 s,", options: { timeout: 2_000 } })

const base = outage(100, 4_000)
const crowded = outage(500, 4_000)

export const outages: ReadonlyArray<Scenario> = [
  outage(1, 2_000),
  outage(3, 2_000),
  outage(20, 2_000),
  outage(100, 2_000, { isQuick: true }),
  outage(500, 2_000),
  outage(1_000, 2_000),
  outage(1, 10_000),
  outage(100, 10_000),
  outage(500, 10_000),
  outage(1_000, 6_000, {
    name: "503 for 60 s, at a tenth: 6 s, 1,000 agents",
    note: "a tenth of 60 s; pauses of clients are not scaled"
  }),
  outage(200, 30_000, {
    name: "503 for 300 s, at a tenth: 30 s, 200 agents",
    note: "a tenth of 300 s and fewer agents; pauses of clients are not scaled",
    seeds: 3
  }),
  {
    ...outage(10_000, 2_000),
    name: "503 for 2 s, 10,000 agents",
    law: { latency: { low: 10_000, high: 20_000 }, rules: [{ fault: status(503), during: span(33_000, 35_000) }] },
    load: { groups: [{ name: "all", agents: 10_000 }], ms: 43_000, stagger: 10_000, cut: 75_000 },
    trouble: { from: 33_000, until: 35_000, kind: "dead" },
    seconds: 64,
    seeds: 1,
    isHeavy: true,
    note: "one seed"
  },
  refused(100, 2_000, { isQuick: true }),
  refused(100, 10_000),
  refused(100, 2_000, { protocol: "h2", what: "HTTP/2: connection refused" }),
  {
    ...outage(300, 2_000),
    name: "503 for 2 s, answers take 2 to 4 s, 300 agents",
    law: { latency: { low: 2_000, high: 4_000 }, rules: [{ fault: status(503), during: span(8_000, 10_000) }] },
    load: timed(300, 18_000, 3_000),
    trouble: { from: 8_000, until: 10_000, kind: "dead" },
    seconds: 22
  },
  stalled(100, 2_000),
  stalled(100, 6_000),
  outage(100, 4_000, { fault: { kind: "reset" }, what: "resets" }),
  outage(20, 4_000, {
    fault: status(503, { after: 50 }),
    what: "maxRetries 0, 503",
    options: { maxRetries: 0 },
    isQuick: true
  }),
  outage(100, 4_000, { what: "timeout 2 s, 503", options: { timeout: 2_000 } }),
  outage(100, 4_000, { what: "queueTimeout 2 s, 503", ours: { queueTimeout: 2_000 } }),
  outage(100, 2_000, { protocol: "h2", what: "HTTP/2: 503" }),
  outage(500, 4_000, { protocol: "h2", what: "HTTP/2: 503" }),
  { ...base, name: "streams, 503 for 4 s, 100 agents", load: { ...base.load, stream: true } },
  { ...base, name: "HTTP/2: streams, 503 for 4 s, 100 agents", protocol: "h2", load: { ...base.load, stream: true } },
  {
    ...base,
    name: "503 for 4 s, 4 processes of 25 agents",
    load: { ...base.load, groups: [{ name: "all", agents: 25 }] },
    processes: 4
  },
  {
    ...crowded,
    name: "503 for 4 s, 10,000 keys, 500 agents",
    load: { ...crowded.load, groups: [{ name: "all", agents: 500, keys: 10_000 }], ms: 45_000, cut: 60_000 },
    law: { ...crowded.law, rules: [{ fault: status(503), during: span(20_000, 24_000) }] },
    trouble: { from: 20_000, until: 24_000, kind: "dead" },
    seconds: 48,
    seeds: 2,
    note: "two seeds"
  },
  {
    ...base,
    name: "503 for 4 s, 100 models on one origin, 100 agents",
    load: { ...base.load, groups: [{ name: "all", agents: 100, models: 100 }] }
  }
]
