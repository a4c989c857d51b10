import { Agent, get, type IncomingMessage } from "node:http"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { atOnce, concurrent, ended, forever, inFlight, noSockets, said } from "./support.ts"

const sources = new URL("../support/sources.ts", import.meta.url).href

/** The service, and where it listens. */
const serve = (sandbox: Sandbox.Sandbox, bound: number) =>
  Effect.gen(function* () {
    const env = {
      OPENAI_API_KEY: "sk-service",
      OPENAI_BASE_URL: sandbox.baseURL("openai"),
      PORT: "0",
      BOUND: `${bound}`
    }
    const node = [process.execPath, "--import", sources]
    const child = yield* Child.run("../../../examples/shutdown.ts", [], env, node)
    const url = /http:\S+/.exec(yield* said(child, "\n"))?.[0]
    assert.isDefined(url)
    return { child, url }
  })

/** Browsers and proxies keep their connections. */
const agent = Effect.acquireRelease(
  Effect.sync(() => new Agent({ keepAlive: true })),
  (agent) => Effect.sync(() => agent.destroy())
)

const ask = (url: string, agent: Agent): Promise<IncomingMessage> =>
  once(get(`${url}/?question=hello`, { agent }), "response").then(([response]) => response as IncomingMessage)

const stdoutOf = (url: string, ...lines: ReadonlyArray<string>) => `listening at ${url}\n${lines.join("\n")}\n`

describe("the service of examples/shutdown.ts", concurrent, () => {
  it.live("accepts nothing more on SIGTERM, ends the answers that run, and exits with 0", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { child, url } = yield* serve(sandbox, forever)
      const kept = yield* agent
      const whole = yield* Effect.promise(async () => text(await ask(url, kept)))
      assert.isAbove(whole.length, 10)
      sandbox.faults.push({ fault: { type: "stall", at: "body", ms: 3_000 } })
      const answers = yield* Effect.promise(() => Promise.all(Array.from({ length: 10 }, () => ask(url, kept))))
      assert.isAbove(sandbox.stats().inFlight, 0)
      child.kill("SIGTERM")
      yield* said(child, "stopping")
      const refused = yield* Effect.promise(() => ask(url, new Agent()).catch((error: unknown) => error))
      assert.match(String(refused), /ECONNREFUSED/)
      const texts = yield* Effect.promise(() => Promise.all(answers.map((answer) => text(answer))))
      assert.deepStrictEqual(new Set(texts), new Set([whole]))
      const answered = performance.now()
      const stdout = stdoutOf(url, "SIGTERM: stopping", "closed")
      assert.deepStrictEqual(yield* ended(child), { code: 0, signal: null, stdout, stderr: "" })
      assert.isBelow(performance.now() - answered, atOnce, "kept connections are not waited for")
      assert.strictEqual(sandbox.stats().aborts, 0)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("cuts what still runs when its bound has passed, and exits with 0", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const { child, url } = yield* serve(sandbox, 300)
      const kept = yield* agent
      const cut = Promise.allSettled(Array.from({ length: 5 }, () => ask(url, kept)))
      yield* inFlight(sandbox, 5)
      const since = performance.now()
      child.kill("SIGINT")
      const stdout = stdoutOf(url, "SIGINT: stopping", "closed")
      assert.deepStrictEqual(yield* ended(child), { code: 0, signal: null, stdout, stderr: "" })
      const took = performance.now() - since
      assert.isAtLeast(took, 290)
      assert.isBelow(took, atOnce)
      const statuses = (yield* Effect.promise(() => cut)).map(({ status }) => status)
      assert.deepStrictEqual(new Set(statuses), new Set(["rejected"]))
      assert.strictEqual(sandbox.stats().aborts, 5)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )

  it.live("ends at once when a signal comes again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: forever })
      const { child, url } = yield* serve(sandbox, forever)
      const cut = ask(url, yield* agent).catch(() => undefined)
      yield* inFlight(sandbox, 1)
      child.kill("SIGTERM")
      yield* said(child, "stopping")
      child.kill("SIGTERM")
      const stdout = stdoutOf(url, "SIGTERM: stopping")
      assert.deepStrictEqual(yield* ended(child), { code: 143, signal: null, stdout, stderr: "" })
      yield* Effect.promise(() => cut)
      yield* noSockets(sandbox)
    }).pipe(Effect.scoped)
  )
})
