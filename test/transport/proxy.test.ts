/** Proxies that refuse the tunnel: which of their answers are final, and the errors of these. */
import { inspect } from "node:util"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects } from "../support/providers.ts"
import { serveTunnel } from "../support/tunnel.ts"
import { until } from "../support/wait.ts"

const openai = subjects[0]!

const password = "CANARY-tunnel-90ac"
const base64 = Buffer.from(`agent:${password}`).toString("base64")

const tunnel = Effect.acquireRelease(Effect.promise(serveTunnel), ({ close }) => Effect.promise(close))

const facts = (error: object) => {
  const { attempts, processed, reason } = error as Readonly<Record<string, unknown>>
  return [reason, processed, attempts]
}

const world = (user = `agent:${password}@`) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const proxy = yield* tunnel
    const config = yield* openai.config(sandbox, { transport: { proxy: `http://${user}127.0.0.1:${proxy.port}` } })
    return { sandbox, proxy, config, target: new URL(sandbox.origin).host }
  })

/** Squid's page, whose head and body come apart and are longer than what a proxy's answer may have. */
const squid = `<!DOCTYPE html><html><head><title>ERROR: Cache Access Denied</title></head><body>${"denied ".repeat(50_000)}`

describe("a proxy that refuses the tunnel", () => {
  for (const [status, page, advice] of [
    [407, "", "check its user and password"],
    [407, squid, "check its user and password"],
    [403, squid, "allow this address there"],
    [404, "", "it must be an HTTP proxy that allows CONNECT to this address"]
  ] as const) {
    it.live(`with status ${status}${page === "" ? "" : " and a long page"} gets one CONNECT, and is named`, () =>
      Effect.gen(function* () {
        const { config, proxy, target } = yield* world()
        proxy.refuse(status, page)
        const error = yield* Effect.flip(openai.ask(config))
        assert.deepStrictEqual(facts(error), ["Connection", "no", 1])
        assert.include(
          error.message,
          `the proxy 127.0.0.1:${proxy.port} (transport.proxy) refused the tunnel to ${target} with status ${status}: ${advice}`
        )
        assert.strictEqual(proxy.asked, 1)
        for (const secret of [password, base64]) {
          assert.notInclude(inspect(error, { depth: Infinity, showHidden: true, customInspect: false }), secret)
        }
        proxy.refuse(undefined)
        assert.notStrictEqual(yield* openai.ask(config), "")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }

  it.live("for want of a user and password differs from one that got others", () =>
    Effect.gen(function* () {
      const { config, proxy } = yield* world("")
      proxy.refuse(407)
      const error = yield* Effect.flip(openai.ask(config))
      assert.include(error.message, "give it a user and password in that URL")
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  it.live("opens no circuit: each request fails with it", () =>
    Effect.gen(function* () {
      const { config, proxy } = yield* world()
      proxy.refuse(407)
      for (let i = 1; i <= 8; i++) {
        const error = yield* Effect.flip(openai.ask(config))
        assert.include(error.message, "with status 407")
        assert.strictEqual(proxy.asked, i)
      }
      assert.strictEqual((yield* ClientMap.stats).clients[0]?.openCircuits, 0)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

  for (const status of [408, 429, 502, 503, 504]) {
    it.live(`with status ${status} for a moment gets CONNECT again`, () =>
      Effect.gen(function* () {
        const { config, proxy } = yield* world()
        proxy.refuse(status)
        void until(() => proxy.asked > 0).then(() => proxy.refuse(undefined))
        assert.notStrictEqual(yield* openai.ask(config), "")
        assert.isAbove(proxy.asked, 1)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )
  }
})
