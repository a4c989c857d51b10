/** Prompts against a sandbox: what is sent, how answers are read, what they cost, and what stops a run. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Batch from "../../src/Batch.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { collect, folder, promptAt, recordsIn, rowsOf, values } from "./support.ts"

const within = <A, E>(test: Effect.Effect<A, E, ClientMap | Scope.Scope>) =>
  test.pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)

interface Server {
  readonly baseURL: string
  readonly bodies: ReadonlyArray<Record<string, unknown>>
}

/** A server like vLLM's, which answers as `answer` has it. */
const server = (
  answer: (body: Record<string, unknown>, number: number) => object
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const bodies: Array<Record<string, unknown>> = []
        const server = createServer((request, response) => {
          let text = ""
          request.setEncoding("utf8").on("data", (part: string) => (text += part))
          request.on("end", () => {
            bodies.push(JSON.parse(text) as Record<string, unknown>)
            response.setHeader("content-type", "application/json")
            response.end(JSON.stringify(answer(bodies.at(-1)!, bodies.length)))
          })
        })
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        return { server, bodies, baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }
      }),
      ({ server }) => Effect.sync(() => (server.closeAllConnections(), server.close()))
    ),
    ({ baseURL, bodies }) => ({ baseURL, bodies })
  )

const chat = (content: string | null, more: object = {}, choice: object = {}) => ({
  id: "1",
  object: "chat.completion",
  model: "local",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content }, ...choice }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  ...more
})

const promptTo = ({ baseURL }: Server, options: Partial<Batch.PromptOptions<unknown>> = {}) =>
  Batch.prompt({
    model: "openai:local",
    prompt: "Sum up {{title}}.",
    client: { baseURL, apiKey: Redacted.make("none") },
    ...options
  })

const errorBody = (code: string) => JSON.stringify({ error: { message: "no", code, type: "invalid_request_error" } })

const year = {
  type: "object",
  properties: { year: { type: "integer" } },
  required: ["year"],
  additionalProperties: false
}

describe("Batch.prompt", () => {
  for (const provider of ["openai", "groq", "cerebras"] as const) {
    it.live(`asks ${provider} for each row`, () =>
      within(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.make({})
          const client = { baseURL: sandbox.baseURL(provider), apiKey: Redacted.make("sk-test") }
          const agent = yield* promptAt(sandbox, { model: `${provider}:some-model`, client })
          const { results } = yield* collect({ rows: rowsOf(20), agent })
          assert.isTrue(results.every(({ attempts, status }) => status === "done" && attempts === 1))
          assert.isTrue(results.every(({ usage }) => usage.input > 0 && usage.output > 0))
          assert.strictEqual(sandbox.stats().requests, 20)
        })
      )
    )
  }

  it.live("asks a deployment of Azure", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const client = {
          endpoint: sandbox.baseURL("azure"),
          apiVersion: "2024-10-21",
          apiKey: Redacted.make("sk-test")
        }
        const agent = yield* Batch.prompt({ model: "azure:ours", prompt: "Sum up {{title}}.", client })
        const { results } = yield* collect({ rows: rowsOf(3), agent })
        assert.deepStrictEqual(
          results.map(({ cost, status }) => `${status} ${cost}`),
          Array.from({ length: 3 }, () => "done undefined")
        )
      })
    )
  )

  it.live("sends the rendered messages and the parameters, and nothing else", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server(() => chat("fine"))
        const agent = yield* promptTo(local, { system: "Be {{tone}}.", params: { temperature: 0, top_k: 3 } })
        const rows = [{ title: "Alien", tone: "short" }]
        const { results } = yield* collect({ rows, agent })
        assert.deepStrictEqual(values(results), ["fine"])
        const messages: ReadonlyArray<Batch.ChatMessage> = [
          { role: "system", content: "Be short." },
          { role: "user", content: "Sum up Alien." }
        ]
        assert.deepStrictEqual(local.bodies, [{ model: "local", messages, temperature: 0, top_k: 3 }])
        assert.deepStrictEqual(agent.columns, ["tone", "title"])
        assert.deepStrictEqual(agent.render(rows[0]!), Either.right(messages))
        assert.deepStrictEqual(agent.render({ title: "x" }), Either.left("tone"))
      })
    )
  )

  it.live("names a column that no row has before anything is sent, and fails rows that lack it", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server(() => chat("fine"))
        const agent = yield* promptTo(local)
        const { error, results } = yield* collect({ rows: [{ name: "Alien", year: 1979 }], agent })
        assert.deepStrictEqual([(error as Batch.BatchError).reason, results, local.bodies], ["Template", [], []])
        assert.match((error as Error).message, /names the column title, which the rows lack; they have name, year\./)
        const some = [{ name: "Brazil" }, { title: "Alien" }, { name: "Clue" }]
        const later = yield* collect({ rows: some, agent, order: "input" })
        assert.deepStrictEqual(values(later.results), ["missing_column", "fine", "missing_column"])
      })
    )
  )

  it.live("takes answers that were cut off, filtered, refused or empty for failures that say so", () =>
    within(
      Effect.gen(function* () {
        const answers = [
          chat("Once upon", {}, { finish_reason: "length" }),
          chat("Once", {}, { finish_reason: "content_filter" }),
          chat(null, {}, { message: { role: "assistant", content: null, refusal: "I can't" } }),
          chat(null),
          { ...chat(""), choices: [] }
        ]
        const local = yield* server((_, number) => answers[number - 1]!)
        const agent = yield* promptTo(local)
        const { progress, results } = yield* collect({ rows: rowsOf(5), agent, concurrency: 1, order: "input" })
        assert.deepStrictEqual(values(results), ["length", "content_filter", "refusal", "empty", "empty"])
        assert.deepStrictEqual(
          results.map((result) => result.status === "failed" && result.reason.answer),
          ["Once upon", "Once", "I can't", undefined, undefined]
        )
        // They were paid for all the same.
        assert.strictEqual(progress.usage.output, 25)
      })
    )
  )

  it.live("names errors of a row's own by their code", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        sandbox.faults.push(
          { times: 1, fault: { type: "status", status: 400, body: errorBody("content_filter") } },
          { times: 1, fault: { type: "status", status: 400, body: errorBody("context_length_exceeded") } },
          { times: 1, fault: { type: "status", status: 400, body: errorBody("other") } }
        )
        const agent = yield* promptAt(sandbox)
        const { results } = yield* collect({ rows: rowsOf(3), agent, concurrency: 1, order: "input" })
        assert.deepStrictEqual(values(results), ["content_filter", "context_length_exceeded", "BadRequest"])
      })
    )
  )

  it.live("checks answers by a JSON schema, and has one repaired with its errors", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server((_, number) =>
          chat(number === 1 ? '{"year":"1979"}' : '```json\n{"year":1979}\n```')
        )
        const agent = yield* promptTo(local, { schema: year })
        const { results } = yield* collect({ rows: rowsOf(1), agent })
        assert.deepStrictEqual(values(results), [{ year: 1979 }])
        assert.deepStrictEqual([results[0]!.attempts, results[0]!.usage.output], [2, 10])
        const format = { type: "json_schema", json_schema: { name: "answer", schema: year, strict: true } }
        assert.deepStrictEqual(
          local.bodies.map((body) => body["response_format"]),
          [format, format]
        )
        const messages = local.bodies[1]!["messages"] as ReadonlyArray<{ role: string; content: string }>
        assert.deepStrictEqual(
          messages.map(({ role }) => role),
          ["user", "assistant", "user"]
        )
        assert.include(messages[2]!.content, "answer.year: is string, not integer")
      })
    )
  )

  it.live("gives up after one repair, or none, with the answer and what was wrong", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server(() => chat("In 1979."))
        const agent = yield* promptTo(local, { schema: year, format: "text" })
        const { results } = yield* collect({ rows: rowsOf(1), agent })
        const result = results[0]!
        assert.deepStrictEqual(result.status === "failed" && result.reason, {
          tag: "schema",
          message: "the answer does not fit the schema: answer: is no JSON",
          answer: "In 1979."
        })
        assert.strictEqual(local.bodies.length, 2)
        const [system] = local.bodies[0]!["messages"] as ReadonlyArray<{ role: string; content: string }>
        assert.deepStrictEqual([system!.role, local.bodies[0]!["response_format"]], ["system", undefined])
        assert.include(system!.content, JSON.stringify(year))
        yield* collect({ rows: rowsOf(1), agent: yield* promptTo(local, { schema: year, repairs: 0 }) })
        assert.strictEqual(local.bodies.length, 3)
      })
    )
  )

  it.live("decodes answers by a Schema of Effect, which the sandbox answers to", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const schema = Schema.Struct({
          kind: Schema.Literal("kind", "unkind"),
          stars: Schema.Int.pipe(Schema.between(1, 5))
        })
        const client = { baseURL: sandbox.baseURL("openai"), apiKey: Redacted.make("sk-test") }
        const agent = yield* Batch.prompt({ model: "openai:gpt-5-mini", prompt: "Rate {{title}}.", schema, client })
        const { results } = yield* collect({ rows: rowsOf(10), agent })
        for (const result of results) assert.isTrue(result.status === "done" && Schema.is(schema)(result.value))
      })
    )
  )

  it.effect("refuses what can't be a prompt", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [object, RegExp]> = [
        [
          { model: "gpt-5-mini" },
          /^model is "gpt-5-mini"; expected PROVIDER:MODEL with one of openai, azure, groq, cerebras$/
        ],
        [{ model: "toString:x" }, /expected PROVIDER:MODEL/],
        [{ prompt: " " }, /^prompt is empty or no text$/],
        [{ prompt: "{{ }}" }, /^prompt has empty braces/],
        [{ params: { stream: true } }, /^params has stream, which the prompt sets itself$/],
        [{ schema: 3 }, /^schema is neither/],
        [{ schema: { type: "objekt" } }, /^schema is no JSON schema: type is "objekt"; expected one of string, /],
        [
          { schema: { properties: { kind: { anyOf: [{ type: "string" }, { type: ["null", "text"] }] } } } },
          /^schema is no JSON schema: properties\.kind\.anyOf\.1\.type is "text"; /
        ],
        [{ schema: { $defs: { a: { required: "name" } } } }, /: \$defs\.a\.required is no list of names$/],
        [{ schema: { properties: { enum: { enum: 3 } } } }, /: properties\.enum\.enum is no list of values$/],
        [{ schema: { items: { properties: [] } } }, /: items\.properties is no object of schemas$/],
        [{ schema: { not: { oneOf: {} } } }, /: not\.oneOf is no list of schemas$/],
        [{ client: { apiKey: Redacted.make("k"), nope: 1 } }, /nope/]
      ]
      for (const [options, message] of cases) {
        const base = { model: "openai:m", prompt: "hi", client: { apiKey: Redacted.make("k") } }
        const error = yield* Effect.flip(Batch.prompt({ ...base, ...options } as never))
        assert.match(error.message, message)
      }
    })
  )
})

const prices = { "gpt-5-mini": { input: 1_000, output: 1_000 } }
const bounded = { params: { max_completion_tokens: 20 } }

describe("maxCost", () => {
  it.live("is never passed, whatever is in flight, and the next run goes on within a higher one", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5 })
        const agent = yield* promptAt(sandbox, bounded)
        const journal = Batch.journal(join(yield* folder, "j.jsonl"))
        const options = { rows: rowsOf(200), agent, journal, prices, concurrency: 50 }
        const one = yield* collect({ ...options, maxCost: 1 })
        const { message, reason } = one.error as Batch.BatchError
        assert.strictEqual(reason, "MaxCost")
        assert.match(message, /^maxCost of \$1\.00 leaves \$0\.\d+, and the next row may cost \$0\.\d+\. Raise it/)
        assert.isAtMost(one.progress.cost, 1)
        assert.isAbove(one.progress.cost, 0.5)
        const two = yield* collect({ ...options, maxCost: 1.5 })
        assert.strictEqual(two.progress.earlierCost, one.progress.cost)
        assert.isAtMost(two.progress.earlierCost + two.progress.cost, 1.5)
        assert.isAbove(two.progress.cost, 0)
        const end = yield* collect({ ...options, maxCost: 1_000 })
        assert.deepStrictEqual([end.error, end.progress.done, sandbox.stats().requests], [undefined, 200, 200])
      })
    )
  )

  it.live("that is used up keeps no row of the journal from its results", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const agent = yield* promptAt(sandbox, bounded)
        const journal = Batch.journal(join(yield* folder, "j.jsonl"))
        const options = {
          rows: rowsOf(20),
          agent,
          journal,
          prices,
          concurrency: 1,
          maxCost: 0.5,
          order: "input" as const
        }
        const one = yield* collect(options)
        assert.isAbove(one.results.length, 1)
        const two = yield* collect(options)
        assert.strictEqual((two.error as Batch.BatchError).reason, "MaxCost")
        assert.deepStrictEqual(values(two.results), values(one.results))
        assert.deepStrictEqual([two.progress.restored, two.progress.done], [one.progress.done, one.progress.done])
      })
    )
  )

  it.live("counts rows of unknown cost by their bound, those of earlier runs too", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server(() => chat("fine", { usage: undefined }))
        const agent = yield* promptTo(local, bounded)
        const path = join(yield* folder, "j.jsonl")
        const prices = { local: { input: 1_000, output: 1_000 } }
        const options = { agent, journal: Batch.journal(path), prices, maxCost: 0.3 }
        const one = yield* collect({ ...options, rows: rowsOf(1) })
        assert.deepStrictEqual([one.error, values(one.results), one.progress.unpriced], [undefined, ["fine"], 1])
        assert.isAbove(recordsIn(path)[0]!["most"] as number, 0.15)
        const two = yield* collect({ ...options, rows: rowsOf(2) })
        assert.deepStrictEqual([(two.error as Batch.BatchError).reason, local.bodies.length], ["MaxCost", 1])
      })
    )
  )

  it.live("is refused without a price or an output bound, and at a base URL of one's own", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const refusals: ReadonlyArray<readonly [Partial<Batch.PromptOptions<unknown>>, Batch.Prices, RegExp]> = [
          [{}, prices, /an answer has no bound; set params\.max_completion_tokens$/],
          [
            bounded,
            {},
            /the price of openai:gpt-5-mini at http:\/\/127\.0\.0\.1:\d+\/v1 is unknown; give it in prices$/
          ]
        ]
        for (const [options, prices, message] of refusals) {
          const agent = yield* promptAt(sandbox, options)
          const { error } = yield* collect({ rows: rowsOf(1), agent, prices, maxCost: 1 })
          assert.match((error as Error).message, message)
        }
        assert.strictEqual(sandbox.stats().requests, 0)
      })
    )
  )
})

describe("a cache", () => {
  it.live("gives what was asked before, in another run, for nothing, and for each repeat its own", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const agent = yield* promptAt(sandbox)
        const cache = Batch.cache(join(yield* folder, "cache"))
        const options = { rows: rowsOf(10), agent, cache, prices, order: "input" } as const
        const first = yield* collect(options)
        const second = yield* collect({ ...options, rows: rowsOf(12), repeat: 2 })
        assert.strictEqual(sandbox.stats().requests, 10 + 2 + 12)
        const restored = second.results.filter(({ cached }) => cached)
        assert.deepStrictEqual(values(restored), values(first.results))
        assert.deepStrictEqual(
          restored.map(({ attempts, cost }) => [attempts, cost]),
          Array.from({ length: 10 }, () => [0, 0])
        )
        assert.deepStrictEqual(restored[0]!.usage, first.results[0]!.usage)
        const asked = second.results.filter(({ cached }) => !cached)
        const spent = asked.reduce((sum, { usage }) => sum + usage.output, 0)
        assert.strictEqual(second.progress.usage.output, spent)
        const other = yield* promptAt(sandbox, { params: { temperature: 0 } })
        yield* collect({ ...options, agent: other })
        assert.strictEqual(sandbox.stats().requests, 24 + 10)
      })
    )
  )

  it.live("keeps no failures", () =>
    within(
      Effect.gen(function* () {
        const local = yield* server((_, number) =>
          chat("text", {}, { finish_reason: number === 1 ? "length" : "stop" })
        )
        const agent = yield* promptTo(local)
        const cache = Batch.cache(join(yield* folder, "cache"))
        assert.deepStrictEqual(values((yield* collect({ rows: rowsOf(1), agent, cache })).results), ["length"])
        assert.deepStrictEqual(values((yield* collect({ rows: rowsOf(1), agent, cache })).results), ["text"])
        assert.strictEqual((yield* collect({ rows: rowsOf(1), agent, cache })).progress.cached, 1)
      })
    )
  )
})

describe("an account that is refused", () => {
  it.live("stops the run with the reason, records none of its rows, and the next run goes on", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5, apiKeys: ["sk-test"] })
        const agent = yield* promptAt(sandbox)
        const path = join(yield* folder, "j.jsonl")
        const options = { rows: rowsOf(300), agent, journal: Batch.journal(path), concurrency: 20 }
        const dies = (progress: Batch.Progress) => {
          if (progress.done >= 40) sandbox.apiKeys([])
        }
        const { error, progress, results } = yield* collect({ ...options, onProgress: dies, progressInterval: 1 })
        assert.strictEqual((error as Batch.BatchError).reason, "Refused")
        assert.match(
          (error as Error).message,
          /^the account is refused \(Authentication\): .*put it right and run again/
        )
        assert.deepStrictEqual([progress.failed, recordsIn(path).length], [0, results.length])
        sandbox.apiKeys(["sk-test"])
        const next = yield* collect(options)
        assert.deepStrictEqual(
          [next.error, next.results.length, next.progress.restored],
          [undefined, 300, results.length]
        )
      })
    )
  )

  it.live("pauses the run if asked to, which goes on once the key is known again", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5, apiKeys: ["sk-test"] })
        const agent = yield* promptAt(sandbox)
        const seen = new Set<string>()
        let refused = 0
        const onProgress = ({ done, heldBack }: Batch.Progress) => {
          seen.add(heldBack.by)
          if (done >= 40 && refused === 0) sandbox.apiKeys([])
          if (heldBack.by === "refused" && ++refused === 3) sandbox.apiKeys(["sk-test"])
        }
        const options = { rows: rowsOf(300), agent, concurrency: 20, order: "input" } as const
        const pausing = { whenRefused: "pause", probeInterval: 20, progressInterval: 1, onProgress } as const
        const { error, results } = yield* collect({ ...options, ...pausing })
        assert.isTrue(seen.has("refused"))
        assert.strictEqual(error, undefined)
        assert.deepStrictEqual(
          results.map(({ index }) => index),
          rowsOf(300).map((_, i) => i)
        )
        assert.isTrue(results.every(({ status }) => status === "done"))
      })
    )
  )

  it.live("is told from rows that are refused: a 404 after answers is the row's", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        sandbox.faults.push({ match: { nth: 3 }, fault: { type: "status", status: 404 } })
        const agent = yield* promptAt(sandbox)
        const { error, results } = yield* collect({ rows: rowsOf(4), agent, concurrency: 1, order: "input" })
        assert.strictEqual(error, undefined)
        assert.deepStrictEqual(
          results.map(({ status }) => status),
          ["done", "done", "failed", "done"]
        )
        sandbox.faults.replace([{ fault: { type: "status", status: 404 } }])
        const first = yield* collect({ rows: rowsOf(4), agent })
        assert.strictEqual((first.error as Batch.BatchError).reason, "Refused")
      })
    )
  )
})

describe("progress", () => {
  it.live("names the quota that holds the run back", () =>
    within(
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({})
        const agent = yield* promptAt(sandbox, { client: { quota: { requestsPerMinute: 600 } } })
        const seen = new Map<string, string>()
        const onProgress = ({ heldBack }: Batch.Progress) => seen.set(heldBack.by, heldBack.detail)
        yield* collect({ rows: rowsOf(12), agent, progressInterval: 100, onProgress })
        assert.strictEqual(seen.get("requests"), "waiting for requests: 600 a minute")
      })
    )
  )
})
