import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { handTicker } from "../support/handTicker.ts"
import { accountOf, answer, demand } from "../support/lanes.ts"
import { subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

describe("an account is rested", () => {
  it("while no request is in flight, after any responses without limits", () => {
    const account = accountOf(handTicker())
    assert.isTrue(account.isRested())
    for (const status of [200, 400, 404, 500]) {
      const permit = account.lane("m").tryEnter(demand())!
      assert.isFalse(account.isRested())
      answer(permit, status)
      assert.isTrue(account.isRested(), String(status))
    }
  })

  it("once the costs of a minute's budget have been paid, of each model", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker, { requestsPerMinute: 60 })
    answer(account.lane("a").tryEnter(demand())!, 200)
    await ticker.pass(400)
    answer(account.lane("b").tryEnter(demand())!, 200)
    await ticker.pass(999)
    assert.isFalse(account.isRested())
    await ticker.pass(1)
    assert.isTrue(account.isRested())
  })

  it("not after a refusal, until a request has been let in again", async () => {
    const ticker = handTicker()
    const account = accountOf(ticker)
    const lane = account.lane("m")
    answer(lane.tryEnter(demand())!, 429, { "retry-after": "5" })
    assert.isFalse(account.isRested())
    await ticker.pass(60_000)
    assert.isFalse(account.isRested(), "the first to go is still to be a probe")
    answer(lane.tryEnter(demand())!, 200)
    assert.isTrue(account.isRested())
  })

  it("not while its key is refused", () => {
    const account = accountOf(handTicker())
    const permit = account.lane("m").tryEnter(demand())!
    permit.answered(401, [])
    account.refuse(permit, () => new TurnedAway("Authentication", "refused"))
    permit.leave()
    assert.isFalse(account.isRested())
  })
})

const quotas = Effect.map(ClientMap.stats, ({ clients, quotas }) => ({
  clients: clients.length,
  closed: quotas.map(({ models }) => models.map(({ closedUntil }) => closedUntil !== undefined))
}))

describe("when its last client goes", () => {
  const nothing = ClientLayer.layer({ idleTimeToLive: 0 })

  it.live("a quota goes too if it holds no request back", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const config = yield* openai.config(sandbox, { quota: { maxConcurrency: 3 } })
      yield* openai.ask(config)
      yield* eventually(quotas, ({ clients }) => clients === 0)
      assert.deepStrictEqual(yield* quotas, { clients: 0, closed: [] })
    }).pipe(Effect.provide(nothing), Effect.scoped)
  )

  it.live("a quota stays that the provider's Retry-After has closed, and the next client waits for it", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({
        faults: [{ times: 1, fault: { type: "status", status: 429, headers: { "retry-after-ms": "500" } } }]
      })
      const config = yield* openai.config(sandbox, { maxRetries: 0 })
      yield* Effect.flip(openai.ask(config))
      yield* eventually(quotas, ({ clients }) => clients === 0)
      assert.deepStrictEqual(yield* quotas, { clients: 0, closed: [[true]] })
      yield* openai.ask(config)
      const [first, second] = sandbox.stats().log
      assert.isAtLeast(second!.arrived - first!.arrived, 490)
    }).pipe(Effect.provide(nothing), Effect.scoped)
  )
})
