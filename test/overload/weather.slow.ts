/** Providers in trouble, over real sockets: this package and the bare SDK, over the same draws, in the same weather. */
import { OpenAI } from "openai"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient, type OpenAIOptions } from "../../src/promise/openai.ts"
import { drawAt } from "./virtualTime.ts"

interface Asked {
  readonly row: number
  readonly model: string
  /** Counts from 1, for each row. */
  readonly attempt: number
  /** Since the first request. */
  readonly ms: number
  /** Since each agent had sent a request: a busy server may take seconds to accept a crowd's connections, one a turn. */
  readonly msOfAll: number
}

type Fate = "answer" | "reset" | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }

interface Weather {
  readonly law: (asked: Asked) => Fate
  readonly rows: number
  readonly agents: number
  readonly latency?: number
  readonly modelOf?: (row: number) => string
  readonly options?: Partial<OpenAIOptions>
}

interface Outcome {
  readonly answered: ReadonlySet<number>
  readonly failures: ReadonlyArray<unknown>
  readonly requests: number
  /** Latency of the slowest row, in ms. */
  readonly longest: number
}

const answer = JSON.stringify({ choices: [{ message: { role: "assistant", content: "hi" } }] })

const serve = async ({ agents, latency = 10, law }: Weather) => {
  const attempts = new Map<number, number>()
  let since: number | undefined
  /** Each agent begins with one of these. */
  const firstRows = new Set<number>()
  let allSince = Infinity
  let requests = 0
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      requests++
      const body: { readonly model: string; readonly user: string } = JSON.parse(Buffer.concat(chunks).toString())
      const row = Number(body.user)
      const attempt = (attempts.get(row) ?? 0) + 1
      attempts.set(row, attempt)
      const now = performance.now()
      since ??= now
      if (row < agents) firstRows.add(row)
      if (firstRows.size === agents) allSince = Math.min(allSince, now)
      const fate = law({ row, model: body.model, attempt, ms: now - since, msOfAll: now - allSince })
      if (fate === "reset") return void request.socket.resetAndDestroy()
      if (fate === "answer") {
        return void setTimeout(
          () => response.writeHead(200, { "content-type": "application/json" }).end(answer),
          latency
        )
      }
      return void response.writeHead(fate.status, { "content-type": "application/json", ...fate.headers }).end("{}")
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseURL: `http://127.0.0.1:${port}/v1`,
    requests: () => requests,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const run = async (weather: Weather, make: (baseURL: string) => OpenAI): Promise<Outcome> => {
  const server = await serve(weather)
  const { agents, modelOf = () => "m", rows } = weather
  const client = make(server.baseURL)
  const answered = new Set<number>()
  const failures: Array<unknown> = []
  let longest = 0
  let next = 0
  const agent = async (): Promise<void> => {
    for (let row = next++; row < rows; row = next++) {
      const since = performance.now()
      const messages = [{ role: "user" as const, content: "hello" }]
      await client.chat.completions.create({ model: modelOf(row), messages, user: String(row) }).then(
        () => answered.add(row),
        (error: unknown) => failures.push(error)
      )
      longest = Math.max(longest, performance.now() - since)
    }
  }
  await Promise.all(Array.from({ length: agents }, agent))
  server.close()
  return { answered, failures, requests: server.requests(), longest }
}

const both = async (weather: Weather) => {
  await using clients = makeClients()
  const options = weather.options ?? {}
  const [ours, bare] = await Promise.all([
    run(weather, (baseURL) => getOpenAIClient({ apiKey: "sk", baseURL, ...options }, clients)),
    run(weather, (baseURL) => new OpenAI({ apiKey: "sk", baseURL }))
  ])
  return { ours, bare }
}

const chance =
  (p: number, fate: Fate) =>
  ({ attempt, row }: Asked): Fate =>
    drawAt(7, row, attempt) < p ? fate : "answer"

const during =
  (from: number, to: number, fate: Fate) =>
  ({ ms }: Asked): Fate =>
    ms >= from && ms < to ? fate : "answer"

/** As `during`, of the time since all agents had sent a request. */
const duringAll =
  (from: number, to: number, fate: Fate) =>
  ({ msOfAll }: Asked): Fate =>
    msOfAll >= from && msOfAll < to ? fate : "answer"

/** Model a always fails, b with p = 0.2. */
const oneDead = (asked: Asked): Fate => (asked.model === "a" ? { status: 500 } : chance(0.2, { status: 500 })(asked))

const ofB = ({ answered }: Outcome): number => [...answered].filter((row) => row % 4 !== 0).length

/** Two rows are asked to wait, one for an hour and one for a day. */
const senseless = ({ attempt, row }: Asked): Fate => {
  if (attempt > 1) return "answer"
  if (row === 20) return { status: 503, headers: { "retry-after": "3600" } }
  return row === 40 ? { status: 429, headers: { "retry-after": "86400" } } : "answer"
}

/** One of a hundred rows meets this. */
const once =
  (fate: Fate) =>
  ({ attempt, row }: Asked): Fate =>
    row === 5 && attempt === 1 ? fate : "answer"

describe("agents fare no worse than with the bare SDK", { timeout: 180_000 }, () => {
  for (const p of [0.3, 0.5, 0.7]) {
    it.concurrent(`when each attempt gets 503 with p = ${p}`, async () => {
      const { bare, ours } = await both({ law: chance(p, { status: 503 }), rows: 300, agents: 60 })
      assert.isAtLeast(ours.answered.size, bare.answered.size)
      assert.isAtMost(ours.requests / ours.answered.size, (1.05 * bare.requests) / bare.answered.size)
    })
  }

  it.concurrent("when connections break with p = 0.5", async () => {
    const { bare, ours } = await both({ law: chance(0.5, "reset"), rows: 300, agents: 60 })
    assert.isAtLeast(ours.answered.size, bare.answered.size)
  })

  it.concurrent("when a job of 1,000 rows meets 500 for a second and a half", async () => {
    const { bare, ours } = await both({ law: during(0, 1_500, { status: 500 }), rows: 1_000, agents: 50 })
    assert.isAtLeast(ours.answered.size, bare.answered.size - 5)
  })

  for (const status of [503, 529]) {
    it.concurrent(`when all attempts get ${status} for two seconds, in which no row is lost`, async () => {
      const { ours } = await both({ law: duringAll(500, 2_500, { status }), rows: 2_000, agents: 100, latency: 50 })
      assert.strictEqual(ours.answered.size, 2_000)
    })
  }

  it.concurrent("when one model always fails, and another of the same key with p = 0.2", async () => {
    const { bare, ours } = await both({
      law: oneDead,
      rows: 600,
      agents: 60,
      modelOf: (row) => (row % 4 === 0 ? "a" : "b"),
      options: { maxRetryAfter: 2_000 }
    })
    assert.isAtLeast(ofB(ours), ofB(bare))
  })

  it.concurrent("when 429 asks all to wait a second, for three and a half", async () => {
    const refusal = { status: 429, headers: { "retry-after": "1" } }
    const { ours } = await both({ law: during(500, 4_000, refusal), rows: 600, agents: 100, latency: 300 })
    assert.strictEqual(ours.answered.size, 600)
  })

  it.concurrent("when single responses have a Retry-After of an hour and of a day, of a healthy provider", async () => {
    const { ours } = await both({ law: senseless, rows: 400, agents: 20 })
    assert.isAtLeast(ours.answered.size, 398)
    assert.isAtMost(ours.longest, 30_000)
    for (const error of ours.failures) assert.include([503, 429], (error as { readonly status: number }).status)
  })

  const absurd: ReadonlyArray<readonly [what: string, headers: Readonly<Record<string, string>>]> = [
    ["remaining -1 of -1", remaining("-1", "-1", "1h")],
    ["remaining 0 of 0", remaining("0", "0", "24h0m0s")],
    ["a reset of a day", remaining("0", "1000", "24h0m0s")],
    ["Retry-After as a Unix time", { "retry-after": "1790000000" }],
    ["Retry-After in the past", { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }],
    ["Retry-After below zero", { "retry-after": "-1" }],
    ["Retry-After that is no number", { "retry-after": "NaN" }]
  ]
  for (const [what, headers] of absurd) {
    for (const status of [200, 429, 503]) {
      it.concurrent(`when one response of ${status} has ${what}, of a healthy provider`, async () => {
        await using clients = makeClients()
        const weather = { law: once({ status, headers }), rows: 100, agents: 10 }
        const ours = await run(weather, (baseURL) => getOpenAIClient({ apiKey: "sk", baseURL }, clients))
        assert.isAtLeast(ours.answered.size, 99)
        assert.isAtMost(ours.longest, 30_000)
      })
    }
  }
})

describe("a retry that is denied", () => {
  it("names the budget, waits no longer than it may, and logs one warning", async () => {
    const warnings: Array<string> = []
    const warned = ({ message }: Error): void => void warnings.push(message)
    process.on("warning", warned)
    try {
      await using clients = makeClients()
      const options = { maxRetryAfter: 500, transport: { circuitFailures: false as const } }
      const weather: Weather = { law: () => ({ status: 500 }), rows: 300, agents: 300 }
      const { failures, requests } = await run(weather, (baseURL) =>
        getOpenAIClient({ apiKey: "sk", baseURL, ...options }, clients)
      )
      assert.strictEqual(failures.length, 300)
      assert.isAtMost(requests, 300 + 300 + 40)
      const why = failures.map((error) =>
        (error as { readonly headers: Headers }).headers.get("x-clientele-not-retried")
      )
      const denied = why.filter((text) => text !== null)
      assert.isAtLeast(denied.length, 150)
      assert.include(denied[0], "retry budget of its model (quota.retriesPerSecond) is used up")
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.strictEqual(warnings.filter((line) => line.includes("retry budget used up")).length, 1)
    } finally {
      process.off("warning", warned)
    }
  })
})

function remaining(left: string, limit: string, reset: string): Readonly<Record<string, string>> {
  return {
    "x-ratelimit-remaining-requests": left,
    "x-ratelimit-limit-requests": limit,
    "x-ratelimit-reset-requests": reset
  }
}
