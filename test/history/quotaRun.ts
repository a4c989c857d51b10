/** One run of a quota: requests that ask, go, are answered and leave in any order, and the history of all of it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import fc from "fast-check"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import { adaptiveDefaults } from "../../src/internal/config/adaptive.ts"
import { Demand } from "../../src/internal/quota/demand.ts"
import type { Permit } from "../../src/internal/quota/permit.ts"
import type { SharedBudget, Store } from "../../src/internal/quota/store.ts"
import { TurnedAway } from "../../src/internal/quota/turnedAway.ts"
import * as Quota from "../../src/Quota.ts"
import { Recorder } from "./history.ts"
import type { QuotaCall, QuotaDetail, QuotaHistory } from "./quotaHistory.ts"
import { commandsOf, step } from "./runs.ts"
import { World } from "./world.ts"

type Limits = ClientConfig["quota"]

export interface Setup {
  readonly limits: Limits
  /** For a shared budget: the number of each batch that it grants, in turn; empty if nothing is shared. */
  readonly grants: ReadonlyArray<number>
}

/** Times are milliseconds. */
interface Ask {
  readonly model: string
  readonly output: number
  readonly movable: boolean
  readonly maxRetryAfter: number
  readonly timeout: number
}

/** An answer, and for how long it closes the gate. */
interface Answer {
  readonly status: number
  readonly closes: number
}

interface Held {
  readonly op: number
  readonly permit: Permit
  answered: number | undefined
}

interface Waiting {
  readonly controller: AbortController
  readonly ask: Ask
}

const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) => Logger.withMinimumLogLevel(effect, LogLevel.None)

const headersOf = ({ closes, status }: Answer): ReadonlyArray<readonly [string, string]> => {
  if (closes === 0) return []
  return status < 400
    ? [
        ["x-ratelimit-remaining-requests", "0"],
        ["x-ratelimit-reset-requests", `${closes}ms`]
      ]
    : [["retry-after-ms", String(closes)]]
}

export class QuotaRun {
  readonly history: QuotaHistory
  readonly #log: Recorder<QuotaCall, QuotaDetail>
  readonly #world: World
  readonly #tasks: fc.Scheduler
  readonly #quota: Quota.Quota
  readonly #held: Array<Held> = []
  readonly #waiting = new Map<number, Waiting>()
  /** Requests that were redirected to another quota. */
  readonly #moved: Array<{ readonly demand: Demand; readonly ask: Ask }> = []
  readonly #holders: Array<{ readonly holder: number; readonly scope: Scope.CloseableScope }> = []
  readonly #grants: ReadonlyArray<number>
  #joined = 0
  #asked = 0
  #isAway = false
  #closedUntil = 0
  #isOver = false

  constructor(tasks: fc.Scheduler, { grants, limits }: Setup) {
    this.#world = new World(tasks)
    this.#tasks = tasks
    this.#grants = grants
    this.#log = new Recorder(() => this.#world.now)
    this.history = this.#log.entries
    const made = Quota.make("test").pipe(
      Effect.provideService(Quota.Store, grants.length === 0 ? undefined : this.#store)
    )
    this.#quota = this.#run(made)
    this.join(limits)
  }

  #run<A>(effect: Effect.Effect<A>): A {
    return Effect.runSync(quiet(Effect.withClock(effect, this.#world.clock)))
  }

  readonly #budget = (model: string): SharedBudget => ({
    reserve: async (costs) => {
      const op = this.#log.invoke({ f: "reserve", model, costs })
      await this.#tasks.schedule(Promise.resolve(), "reserve")
      const closed = Math.max(0, this.#closedUntil - this.#world.now)
      if (this.#isAway) {
        this.#log.fail(op, {})
        throw new Error("away")
      }
      const grant = this.#grants[this.#asked++ % this.#grants.length]!
      const taken = closed > 0 ? 0 : Math.min(costs.length, grant)
      this.#log.ok(op, { taken })
      return { taken, wait: taken < costs.length ? Math.max(closed, 5) : 0, closed, tokensLeft: 1 }
    },
    correct: (requests, tokens) => void this.#log.did({ f: "correct", model, requests, tokens }, {}),
    close: (ms) => {
      this.#closedUntil = Math.max(this.#closedUntil, this.#world.now + ms)
    }
  })

  readonly #store: Store = {
    budget: (_, model) => this.#budget(model),
    isAvailable: () => !this.#isAway
  }

  join(limits: Limits): void {
    const holder = ++this.#joined
    const { burst, maxConcurrency, maxWaiters: waiters } = limits
    const { requestsPerMinute: requests, tokensPerMinute: tokens } = limits
    const [least, concurrency] =
      typeof maxConcurrency === "number" ? [maxConcurrency, maxConcurrency] : [maxConcurrency.min, maxConcurrency.max]
    this.#log.did({ f: "join", holder, limits: { requests, tokens, burst, concurrency, least, waiters } }, {})
    const scope = Effect.runSync(Scope.make())
    this.#run(Scope.extend(this.#quota.join(limits), scope))
    this.#holders.push({ holder, scope })
  }

  part(which: number): void {
    const [gone] = this.#holders.splice(which % Math.max(1, this.#holders.length), 1)
    if (gone === undefined) return
    this.#log.did({ f: "part", holder: gone.holder }, {})
    this.#run(Scope.close(gone.scope, Exit.void))
  }

  enter(ask: Ask, again?: Demand): void {
    const { maxRetryAfter, model, movable, output, timeout } = ask
    const demand =
      again ?? new Demand({ path: "/chat/completions", body: JSON.stringify({ model, max_tokens: output }) })
    const isAgain = again !== undefined
    const call = {
      model,
      order: demand.order,
      again: isAgain,
      tokens: demand.tokens(0),
      movable,
      maxRetryAfter,
      timeout
    }
    const op = this.#log.invoke({ f: "enter", ...call })
    const got = (permit: Permit): void => {
      this.#log.ok(op, { permit: { tokens: permit.tokens, shared: permit.shared, at: permit.sentAt } })
      this.#held.push({ op, permit, answered: undefined })
      if (this.#isOver) this.#end(this.#held.length - 1)
    }
    const permit = this.#quota.tryEnter(demand)
    if (permit !== undefined) return got(permit)
    const controller = new AbortController()
    this.#waiting.set(op, { controller, ask })
    this.#quota.enter(demand, { signal: controller.signal, maxRetryAfter, timeout, movable, again: isAgain }).then(
      (permit) => {
        this.#waiting.delete(op)
        if (permit !== undefined) return got(permit)
        this.#log.ok(op, {})
        this.#moved.push({ demand, ask })
      },
      (error: unknown) => {
        this.#waiting.delete(op)
        const reason =
          error instanceof TurnedAway ? error.reason : controller.signal.aborted ? "aborted" : String(error)
        this.#log.fail(op, { reason })
      }
    )
  }

  again(): void {
    const first = this.#moved.shift()
    if (first !== undefined) this.enter(first.ask, first.demand)
  }

  abort(which: number): void {
    const [op, waiting] = [...this.#waiting][which % this.#waiting.size] ?? []
    if (op === undefined || waiting === undefined || waiting.controller.signal.aborted) return
    this.#log.did({ f: "abort", of: op }, {})
    waiting.controller.abort(new Error("enough"))
  }

  #one(which: number): Held | undefined {
    return this.#held[which % Math.max(1, this.#held.length)]
  }

  answer(which: number, answer: Answer): void {
    const one = this.#one(which)
    if (one === undefined || one.answered !== undefined) return
    one.answered = answer.status
    this.#log.did({ f: "answer", permit: one.op, ...answer }, {})
    one.permit.answered(answer.status, headersOf(answer))
    if (answer.status !== 401) return
    this.#log.did({ f: "refuse", permit: one.op }, {})
    this.#quota.refuse(one.permit, () => new TurnedAway("Authentication", "refused"))
  }

  /** Its budget is settled once it is answered, and refunded if it was not sent; a second time changes nothing. */
  account(which: number, tokens: number): void {
    const one = this.#one(which)
    if (one === undefined) return
    if (one.answered === undefined) {
      this.#log.did({ f: "refund", permit: one.op }, {})
      one.permit.refund()
    } else {
      this.#log.did({ f: "settle", permit: one.op, tokens }, {})
      one.permit.settle(tokens, tokens)
    }
  }

  leave(which: number): void {
    const [one] = this.#held.splice(which % Math.max(1, this.#held.length), 1)
    if (one === undefined) return
    this.#log.did({ f: "leave", permit: one.op }, {})
    one.permit.leave()
  }

  outage(): void {
    this.#isAway = !this.#isAway
  }

  pass(ms: number): void {
    this.#world.pass(ms)
  }

  async quiet(): Promise<void> {
    await this.#world.drain()
    this.#log.did({ f: "quiet" }, {})
    const models = this.#quota.stats().models.map(({ inFlight, model, queued, tokensLeft }) => ({
      model,
      inFlight,
      queued,
      tokensLeft
    }))
    this.#log.did({ f: "look", models }, {})
  }

  #end(which: number): void {
    this.answer(which, { status: 200, closes: 0 })
    this.leave(which)
  }

  /** All who have a permit leave, so that all who wait get theirs. */
  async finish(): Promise<void> {
    await this.quiet()
    this.#isOver = true
    // One at a time: an admitted request is recorded a moment later, and no other may be recorded before.
    for (; this.#held.length > 0; await this.#world.drain()) this.#end(0)
    for (; this.#moved.length > 0; await this.#world.drain()) this.again()
    await this.quiet()
    await this.#world.rush(3_600_000, () => this.#waiting.size === 0)
    await this.quiet()
  }
}

const nat = fc.nat(9)

const limits: fc.Arbitrary<Limits> = fc.record({
  requestsPerMinute: fc.constantFrom(7, 60, 600, Infinity, Infinity),
  tokensPerMinute: fc.constantFrom(10_000, 100_000, Infinity, Infinity),
  burst: fc.integer({ min: 1, max: 3 }),
  maxConcurrency: fc.constantFrom<Limits["maxConcurrency"]>(1, 2, 3, Infinity, {
    ...adaptiveDefaults,
    max: 4,
    initial: 2
  }),
  maxWaiters: fc.constantFrom(1, 4, Infinity, Infinity),
  retriesPerSecond: fc.constant(Infinity)
})

const ask: fc.Arbitrary<Ask> = fc.record({
  model: fc.constantFrom("a", "a", "b"),
  output: fc.integer({ min: 1, max: 2_000 }),
  movable: fc.boolean(),
  maxRetryAfter: fc.constantFrom(0, 500, 5_000, Infinity, Infinity, Infinity),
  timeout: fc.constantFrom(100, 5_000, Infinity, Infinity, Infinity)
})

const answer = fc.constantFrom<Answer>(
  ...Array.from({ length: 10 }, () => ({ status: 200, closes: 0 })),
  { status: 200, closes: 700 },
  { status: 200, closes: 3_000 },
  { status: 429, closes: 0 },
  { status: 429, closes: 1_000 },
  { status: 429, closes: 7_000 },
  { status: 503, closes: 0 },
  { status: 500, closes: 0 },
  { status: 401, closes: 0 }
)

export const setups: fc.Arbitrary<Setup> = fc.record({
  limits,
  grants: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }).map((some) => [...some, 1]) }
  )
})

const words = {
  enter: ask.map((one) => step<QuotaRun>(`enter ${JSON.stringify(one)}`, (run) => run.enter(one))),
  answer: fc
    .tuple(nat, answer)
    .map(([n, one]) => step<QuotaRun>(`answer ${n} ${JSON.stringify(one)}`, (run) => run.answer(n, one))),
  account: fc
    .tuple(nat, fc.nat(3_000))
    .map(([n, tokens]) => step<QuotaRun>(`account ${n} ${tokens}`, (run) => run.account(n, tokens))),
  leave: nat.map((n) => step<QuotaRun>(`leave ${n}`, (run) => run.leave(n))),
  abort: nat.map((n) => step<QuotaRun>(`abort ${n}`, (run) => run.abort(n))),
  again: fc.constant(step<QuotaRun>("again", (run) => run.again())),
  join: limits.map((one) => step<QuotaRun>(`join ${JSON.stringify(one)}`, (run) => run.join(one))),
  part: nat.map((n) => step<QuotaRun>(`part ${n}`, (run) => run.part(n))),
  outage: fc.constant(step<QuotaRun>("outage", (run) => run.outage())),
  pass: fc
    .oneof(fc.integer({ min: 1, max: 3_000 }), fc.constant(60_000))
    .map((ms) => step<QuotaRun>(`pass ${ms}`, (run) => run.pass(ms))),
  quiet: fc.constant(step<QuotaRun>("quiet", (run) => run.quiet()))
}

export const anything = commandsOf<QuotaRun>(40, [
  [4, words.enter],
  [2, words.answer],
  [2, words.leave],
  [2, words.account],
  [2, words.pass],
  [1, words.quiet],
  [1, words.abort],
  [1, words.again],
  [1, words.join],
  [1, words.part],
  [1, words.outage]
])

export const play = async (
  tasks: fc.Scheduler,
  setup: Setup,
  all: Iterable<fc.AsyncCommand<QuotaRun, QuotaRun>>
): Promise<QuotaHistory> => {
  const run = new QuotaRun(tasks, setup)
  await fc.scheduledModelRun(tasks, () => ({ model: run, real: run }), all)
  await run.finish()
  return run.history
}
