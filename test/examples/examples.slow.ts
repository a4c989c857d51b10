/** Each example as a user runs it, against a provider of this machine. */
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"

const sources = new URL("../support/sources.ts", import.meta.url).href

const folder = fileURLToPath(new URL("../../examples/", import.meta.url))

const environment = (sandbox: Sandbox.Sandbox): Record<string, string> => ({
  OPENAI_API_KEY: "sk",
  OPENAI_BASE_URL: sandbox.baseURL("openai"),
  GROQ_API_KEY: "gsk",
  GROQ_BASE_URL: sandbox.baseURL("groq"),
  CEREBRAS_API_KEY: "csk",
  CEREBRAS_BASE_URL: sandbox.baseURL("cerebras")
})

const run = (sandbox: Sandbox.Sandbox, name: string, env: Record<string, string> = {}) =>
  Effect.flatMap(
    Child.run(`../../../examples/${name}.ts`, [], { ...environment(sandbox), ...env }, [
      process.execPath,
      "--import",
      sources
    ]),
    ({ ended }) => Effect.promise(() => ended)
  )

/** An OpenTelemetry collector that keeps all it receives. */
const collector = Effect.acquireRelease(
  Effect.promise(async () => {
    const all: Array<{ readonly path: string; readonly body: string }> = []
    const server = createServer(async (request, response) => {
      all.push({ path: request.url ?? "", body: await text(request) })
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const received = (path: string) =>
      all
        .filter((one) => one.path === path)
        .map(({ body }) => body)
        .join("\n")
    return { server, origin: `http://127.0.0.1:${port}`, received }
  }),
  ({ server }) =>
    Effect.promise(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
)

const cases: ReadonlyArray<readonly [name: string, said: RegExp, env?: Record<string, string>]> = [
  ["rows", /^1000 of 1000 rows answered, 1 client, \d{1,3} sockets\n$/, { ROWS: "1000" }],
  ["tools", /^weather\(\{"city":.*\}\)\nweather: \{"degrees":\d+\}\n.+\n\n2 rounds, \d+ tokens\n$/s],
  ["structured", /^true Invoice \{.*seller.*\d+ tokens\n$/s],
  ["panel", /^10 of 10 rows decided, by 30 of 30 votes\n$/],
  ["router", /^answered by quick\n.+\n$/],
  ["terminal", /.+\n\n\d+ tokens, stop\n$/s],
  ["hono", /.+\n$/]
]

/** They wait for their turns: most say nothing before they end, and two run at a time. */
describe("an example", { concurrent: true, timeout: 180_000 }, () => {
  it.scopedLive.each(cases)("%s prints what it demonstrates", ([name, said, env]) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { code, stderr, stdout } = yield* run(sandbox, name, env)
      assert.strictEqual(stderr, "")
      assert.match(stdout, said)
      assert.strictEqual(code, 0)
    })
  )
})

it.scopedLive(
  "a panel of a thousand rows finishes through the others when a provider is down",
  () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [{ match: { path: /^\/openai\/v1/ }, fault: { type: "status", status: 503 } }]
      })
      const { stdout } = yield* run(sandbox, "panel", { ROWS: "1000" })
      assert.match(stdout, /1000 of 1000 rows decided, by 2000 of 3000 votes\n$/)
    }),
  180_000
)

it.scopedLive("opentelemetry sends spans and metrics by their names to a collector", () =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const { origin, received } = yield* collector
    const { stdout } = yield* run(sandbox, "opentelemetry", { OTEL_EXPORTER_OTLP_ENDPOINT: origin })
    assert.strictEqual(stdout, "told\n")
    const traces = received("/v1/traces")
    assert.strictEqual(traces.split('"name":"invoke_agent summarize"').length - 1, 3)
    assert.strictEqual(traces.split('"name":"chat llama-3.3-70b-versatile"').length - 1, 3)
    assert.include(traces, '"key":"gen_ai.usage.input_tokens"')
    const metrics = received("/v1/metrics")
    for (const name of [
      "gen_ai.client.operation.duration",
      "gen_ai.client.token.usage",
      "http.client.request.duration",
      "http.client.open_connections",
      "clientele.quota.queued"
    ]) {
      assert.include(metrics, `"name":"${name}"`)
    }
  })
)

it("examples are short enough to be read", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"))
  assert.isAtLeast(files.length, 11)
  for (const name of files) assert.isAtMost(readFileSync(folder + name, "utf8").split("\n").length - 1, 80, name)
})
