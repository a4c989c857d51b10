/** CPU of a streamed answer by all ways to it, against the SDK over its default fetch. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { certificate } from "../src/internal/sandbox/certificate.ts"
import { type Bench, type Figure, interleaved, median, ratios, round, spread } from "./bench.ts"
import { measure } from "./measure.ts"
import type { EventsOptions } from "./eventsServer.ts"
import type { Variant, Work } from "./streamWorker.ts"

const SOCKETS = 64
const STREAMS_AT_ONCE = 50

/** Starts the server of streams for as long as `use` runs. */
const withEvents = async <A>(options: EventsOptions, use: (baseURL: string) => Promise<A>): Promise<A> => {
  const server = fileURLToPath(new URL("eventsServer.ts", import.meta.url))
  const child = fork(server, [JSON.stringify(options)])
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once("message", (message) => resolve(message as number))
      child.once("error", reject)
      child.once("exit", (code) => reject(new Error(`the server of streams ended with ${code}`)))
    })
    return await use(`${options.isTls ? "https" : "http"}://localhost:${port}/v1`)
  } finally {
    child.disconnect()
  }
}

/** Most that a variant may cost, of openai with its default fetch. @default it is printed for information */
type Targets = Partial<Record<Variant, number>>

interface Scenario extends EventsOptions {
  readonly what: string
  readonly calls: number
  readonly variants: ReadonlyArray<Variant>
  readonly targets: Targets
}

const ways = [
  "openai",
  "openai, getFetch",
  "getOpenAIClient",
  "OpenAiClient.stream",
  "OpenAiApi.chatStream",
  "getOpenAIApi"
] as const satisfies ReadonlyArray<Variant>

const targets: Targets = {
  getOpenAIClient: 0.95,
  "OpenAiClient.stream": 1.2,
  "OpenAiApi.chatStream": 0.45,
  getOpenAIApi: 0.45
}

const scenarios: ReadonlyArray<Scenario> = ([false, true] as const).flatMap((isTls) => {
  // The SDK's default fetch has no HTTP/2.
  const over = isTls ? "with TLS, ours over HTTP/2" : "over HTTP/1.1"
  const apart = { areTogether: false, isTls, variants: ways, targets: {} }
  const more: ReadonlyArray<Variant> = isTls ? [] : ["OpenAiClient.stream, one by one", "bare undici"]
  return [
    { ...apart, what: `3 events ${over}`, events: 3, calls: 4_000 },
    { ...apart, what: `200 events ${over}`, events: 200, calls: 600, variants: [...ways, ...more], targets },
    { ...apart, what: `2,000 events ${over}`, events: 2_000, calls: 60 },
    { ...apart, what: `200 events in one write, ${over}`, events: 200, areTogether: true, calls: 600 }
  ]
})

const run = async (runs: number, scenario: Scenario): Promise<ReadonlyArray<Figure>> => {
  const { calls, targets, variants, what } = scenario
  const costs = await withEvents(scenario, (baseURL) => {
    const work = {
      baseURL,
      ca: certificate.ca,
      maxConnections: SOCKETS,
      atOnce: STREAMS_AT_ONCE,
      warmUp: Math.max(STREAMS_AT_ONCE, calls / 2),
      calls
    }
    const all = variants.map((variant) => [
      variant,
      () => {
        process.stderr.write(`    ${what}\n`)
        return measure<Work, number>("streamWorker.ts", { ...work, variant })
      }
    ])
    return interleaved(Object.fromEntries(all) as Record<Variant, () => Promise<number>>, runs)
  })
  const us = (name: Variant) => round(median(costs[name]), 0)
  return variants.slice(1).map((name): Figure => {
    const of = ratios(costs[name], costs.openai)
    const note = `${us(name)} and ${us("openai")} us; runs ${spread(of, 2)}`
    return { what: `${what}: ${name} / openai`, value: median(of), unit: "x", atMost: targets[name], note }
  })
}

export const stream: Bench = {
  name: "stream",
  about:
    `CPU of a streamed answer, each event in a write of its own but where it says so; ${STREAMS_AT_ONCE} streams at once, ` +
    `${SOCKETS} sockets where there is a bound`,
  run: async ({ quick, runs, scenarios: wanted }) => {
    const figures: Array<Figure> = []
    for (const scenario of scenarios) {
      if (wanted !== undefined && !wanted.some((part) => scenario.what.includes(part))) continue
      figures.push(...(await run(runs, quick ? { ...scenario, calls: scenario.calls / 2 } : scenario)))
    }
    return figures
  }
}
