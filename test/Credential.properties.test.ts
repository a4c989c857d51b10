/** Loads, uses, rotations, refusals and aborts in any order: what each request gets could be used when it got it. */
import * as assert from "node:assert/strict"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { describe, it } from "vitest"
import * as Credential from "../src/Credential.ts"
import { open } from "./support/credentials.ts"

/** Turns of the event loop in which whatever is ready has run: effect 4 takes one for each fiber that yields. */
const turn = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Time that passes on command, with all that happens in between run in its order. */
const handClock = () => {
  let now = 0
  let sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []
  const clock: Clock.Clock = Object.assign(Clock.make(), {
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: (duration: Duration.Duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.push(sleeper)
        return Effect.sync(() => {
          sleepers = sleepers.filter((one) => one !== sleeper)
        })
      })
  })
  const pass = async (ms: number): Promise<void> => {
    const until = now + ms
    for (;;) {
      await turn()
      const [next] = sleepers.filter((one) => one.at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      sleepers = sleepers.filter((one) => one !== next)
      now = Math.max(now, next.at)
      next.wake()
    }
    now = until
    await turn()
  }
  return { clock, pass, now: () => now }
}

type Step = { readonly do: "pass"; readonly ms: number } | { readonly do: "use" | "abort" | "bump" | "revoke" }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
  { weight: 5, arbitrary: fc.constant({ do: "use" as const }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ do: "abort" as const }, { do: "bump" as const }, { do: "revoke" as const })
  }
)

/** A load: its duration, the lifetime of its token counted from the load's beginning, and its failure. */
const load = fc.record({
  takes: fc.integer({ min: 0, max: 1_500 }),
  life: fc.integer({ min: 100, max: 8_000 }),
  fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0)
})

const scenario = fc.record({
  steps: fc.array(step, { minLength: 10, maxLength: 60 }),
  loads: fc.array(load, { minLength: 1, maxLength: 12 }),
  refreshBefore: fc.constantFrom(0, 500, 2_000),
  versioned: fc.boolean()
})

interface Token {
  readonly name: string
  readonly version: number
  readonly beganAt: number
  readonly expiresAt: number
  revoked: boolean
}

const play = async ({
  loads,
  refreshBefore,
  steps,
  versioned
}: typeof scenario extends fc.Arbitrary<infer A> ? A : never) => {
  const time = handClock()
  const tokens = new Map<string, Token>()
  const seen = { now: new Map<number, number>(), most: 0, begun: 0, given: 0, retried: 0 }
  let version = 0

  const credential = Credential.make({
    id: "vault",
    refreshBefore,
    ...(versioned ? { version: Effect.sync(() => version) } : {}),
    load: Effect.acquireUseRelease(
      Effect.sync(() => {
        const mine = version
        const under = (seen.now.get(mine) ?? 0) + 1
        seen.now.set(mine, under)
        seen.most = Math.max(seen.most, under)
        return mine
      }),
      (mine) =>
        Effect.suspend(() => {
          const { fails, life, takes } = loads[seen.begun++ % loads.length]!
          const name = `token-${seen.begun}`
          const beganAt = time.now()
          return Effect.delay(
            Effect.suspend(() => {
              if (fails) return Effect.fail("the vault is sealed")
              tokens.set(name, { name, version: mine, beganAt, expiresAt: beganAt + life, revoked: false })
              return Effect.succeed({ secret: Redacted.make(name), expiresAt: new Date(beganAt + life) })
            }),
            takes
          )
        }),
      (mine) => Effect.sync(() => seen.now.set(mine, seen.now.get(mine)! - 1))
    )
  })
  const source = await open(credential).pipe(
    Effect.withClock(time.clock),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.runPromise
  )

  const take = async (signal: AbortSignal): Promise<Token> => {
    const asked = { at: time.now(), version }
    const secret = source.peek() ?? (await source.load(signal))
    const token = tokens.get(Redacted.value(secret))!
    seen.given++
    assert.ok(time.now() < token.expiresAt, `${token.name} was handed out at ${time.now()}, its end was before`)
    if (versioned) assert.ok(token.version >= asked.version, `${token.name} is of a version before the request's`)
    return token
  }

  const request = async (signal: AbortSignal): Promise<void> => {
    const first = await take(signal)
    if (!first.revoked) return
    const secret = Redacted.make(first.name)
    if (!source.refused(secret)) return
    seen.retried++
    const second = await take(signal)
    // Each load gives another token here, so what was refused never comes back.
    assert.notEqual(second.name, first.name)
  }

  const requests: Array<{ readonly controller: AbortController; readonly ended: Promise<unknown> }> = []
  for (const one of steps) {
    if (one.do === "pass") await time.pass(one.ms)
    if (one.do === "bump") {
      // Or a load that has been asked for would begin after the bump, and be no different from the next.
      await turn()
      version++
    }
    if (one.do === "revoke") for (const token of tokens.values()) token.revoked = true
    if (one.do === "abort") {
      requests.at(-1)?.controller.abort(new Error("enough"))
      // A load that nobody waits for any more is stopped within this turn.
      await turn()
    }
    if (one.do === "use") {
      const controller = new AbortController()
      const ended = request(controller.signal).catch((error: unknown) => {
        if (error instanceof assert.AssertionError) return error
        // Nobody else fails than those whose load failed, and those who gave up.
        if (controller.signal.aborted && error === controller.signal.reason) return undefined
        const tag = (error as { readonly _tag?: string })._tag
        return tag === "RequestError" ? undefined : error
      })
      requests.push({ controller, ended })
    }
  }
  // Every request ends in bounded time.
  await time.pass(60_000)
  const hung = Symbol("hung")
  for (const { ended } of requests) {
    const end = await Promise.race([
      ended,
      turn()
        .then(turn)
        .then(() => hung)
    ])
    if (end !== undefined) throw end === hung ? new Error("a request never ended") : end
  }
  assert.ok(seen.most <= 1, `${seen.most} loads of one version at once`)
  return seen
}

describe("a credential under any interleaving", () => {
  it("hands out no secret that has expired or is of an old version, and loads one at a time", async () => {
    const total = { given: 0, retried: 0 }
    await fc.assert(
      fc.asyncProperty(scenario, async (one) => {
        const { given, retried } = await play(one)
        total.given += given
        total.retried += retried
      }),
      { numRuns: 200 }
    )
    // The scenarios reach what they are about.
    assert.ok(total.given > 1_000 && total.retried > 10, JSON.stringify(total))
  })
})
