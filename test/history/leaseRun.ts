/** One run of a map: commands in any order, fibers that go in any order, and the history of all of it. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import fc from "fast-check"
import type * as LeaseMap from "../../src/LeaseMap.ts"
import { Recorder } from "./history.ts"
import type { LeaseCall, LeaseDetail, LeaseHistory, LeaseSetup } from "./leaseHistory.ts"
import { type MakeSubject, Planned, refusal, type Subject, World as Owner } from "./leaseSubjects.ts"
import { commandsOf, step } from "./runs.ts"
import { World } from "./world.ts"

/** Course of a build. Times are milliseconds. */
export interface Plan {
  readonly takes: number
  readonly fails: "no" | "before it acquires" | "after"
  /** It can't be interrupted. */
  readonly stubborn: boolean
  /** Its finalizer. */
  readonly drains: number
  readonly dies: boolean
}

export interface Setup extends LeaseSetup {
  readonly plans: ReadonlyArray<Plan>
  /** On the real clock: then nothing takes time, and no idle time ends. */
  readonly live: boolean
}

interface Held {
  readonly op: number
  readonly value: number
  readonly end: () => void
}

interface Pending {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly end: () => void
}

export class LeaseRun {
  readonly history: LeaseHistory
  readonly #held: Array<Held> = []
  readonly #pending = new Map<number, Pending>()
  readonly #handles = new Map<number, LeaseMap.Handle>()
  readonly #log: Recorder<LeaseCall, LeaseDetail>
  readonly #world: World
  readonly #scope = Effect.runSync(Scope.make())
  readonly #subject: Subject
  readonly #setup: Setup
  #builds = 0
  #closing = false

  constructor(tasks: fc.Scheduler, make: MakeSubject, setup: Setup) {
    this.#world = new World(tasks)
    this.#setup = setup
    this.#log = new Recorder(() => this.#world.now)
    this.history = this.#log.entries
    this.#subject = Effect.runSync(
      this.#timed(make(this.#lookup, setup)).pipe(
        Effect.withScheduler(this.#world.scheduler),
        Effect.provideService(Owner, "maker"),
        Logger.withMinimumLogLevel(LogLevel.None),
        Scope.extend(this.#scope)
      )
    )
  }

  #timed<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#setup.live ? effect : Effect.withClock(effect, this.#world.clock)
  }

  #fork<A, E>(effect: Effect.Effect<A, E>, budget: number): Fiber.RuntimeFiber<A, E> {
    return this.#world.fork(Effect.provideService(this.#timed(effect), Owner, "caller"), budget)
  }

  /** Forks an operation that gives nothing. */
  #operate(call: LeaseCall, effect: Effect.Effect<void>, budget: number): void {
    const op = this.#log.invoke(call)
    this.#fork(effect, budget).addObserver((exit) =>
      Exit.isSuccess(exit) ? this.#log.ok(op, {}) : this.#log.fail(op, { reason: "other" })
    )
  }

  readonly #lookup = (key: string, self: LeaseMap.Handle | undefined) =>
    Effect.flatMap(Effect.serviceOption(Owner), (owner) => {
      const { plans } = this.#setup
      const plan = plans[this.#builds % plans.length]!
      const value = ++this.#builds
      const op = this.#log.invoke({ f: "build", key, value, world: Option.getOrElse(owner, () => "nobody") })
      const acquire = Effect.acquireRelease(
        Effect.sync(() => {
          this.#log.did({ f: "acquire", value }, {})
          if (self !== undefined) this.#handles.set(value, self)
        }),
        () => this.#release(value, plan)
      )
      const planned = Effect.fail(new Planned(value))
      const body = Effect.sleep(plan.takes).pipe(
        Effect.when(() => plan.takes > 0),
        Effect.zipRight(plan.fails === "before it acquires" ? planned : acquire),
        Effect.zipRight(plan.fails === "after" ? planned : Effect.succeed(value))
      )
      return Effect.onExit(plan.stubborn ? Effect.uninterruptible(body) : body, (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) this.#log.ok(op, {})
          else if (Cause.isInterrupted(exit.cause)) this.#log.unknown(op)
          else this.#log.fail(op, { reason: "build" })
        })
      )
    })

  #release(value: number, { dies, drains }: Plan): Effect.Effect<void> {
    return Effect.suspend(() => {
      const op = this.#log.invoke({ f: "release", value })
      const over = Effect.sync(() => this.#log.ok(op, {}))
      const ended = drains === 0 ? over : Effect.zipRight(Effect.sleep(drains), over)
      return dies ? Effect.zipRight(ended, Effect.die("a finalizer dies")) : ended
    })
  }

  get(key: string, budget: number): void {
    const scope = Effect.runSync(Scope.make())
    const close = Scope.close(scope, Exit.void)
    const op = this.#log.invoke({ f: "get", key })
    const fiber = this.#fork(Scope.extend(this.#subject.get(key), scope), budget)
    const end = () => this.#operate({ f: "end", of: op }, close, budget)
    this.#pending.set(op, { fiber, end })
    fiber.addObserver((exit) => {
      const isEnded = !this.#pending.delete(op)
      if (Exit.isSuccess(exit)) {
        this.#log.ok(op, { value: exit.value })
        if (!isEnded) this.#held.push({ op, value: exit.value, end })
        return
      }
      if (Cause.isInterrupted(exit.cause)) this.#log.unknown(op)
      else this.#log.fail(op, refusal(Cause.squash(exit.cause)))
      if (!isEnded) end()
    })
  }

  /** The lease ends with what is done under it: by itself, or because somebody interrupts it. */
  use(key: string, budget: number, isCut: boolean): void {
    const { use } = this.#subject
    if (use === undefined) return
    const op = this.#log.invoke({ f: "get", key })
    const done = Deferred.unsafeMake<void>(FiberId.none)
    let isHeld = false
    let ending: number | undefined
    const end = (): void => {
      ending = this.#log.invoke({ f: "end", of: op })
      if (isCut) fiber.unsafeInterruptAsFork(fiber.id())
      else Deferred.unsafeDone(done, Exit.void)
    }
    const work = (value: number) =>
      Effect.suspend(() => {
        this.#log.ok(op, { value })
        isHeld = true
        this.#pending.delete(op)
        this.#held.push({ op, value, end })
        return Deferred.await(done)
      })
    const fiber = this.#fork(use(key, work), budget)
    if (!isHeld) this.#pending.set(op, { fiber, end: () => this.#cut(op, fiber) })
    fiber.addObserver((exit) => {
      this.#pending.delete(op)
      if (ending !== undefined) this.#log.ok(ending, {})
      // One that has a lease, and ends before its command, leaves an end that never comes.
      else if (!isHeld && Exit.isFailure(exit)) {
        if (Cause.isInterrupted(exit.cause)) this.#log.unknown(op)
        else this.#log.fail(op, refusal(Cause.squash(exit.cause)))
      }
    })
  }

  #cut(op: number, fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    this.#log.did({ f: "interrupt", of: op }, {})
    fiber.unsafeInterruptAsFork(fiber.id())
  }

  interrupt(which: number): void {
    const [op, pending] = [...this.#pending][which % this.#pending.size] ?? []
    if (op === undefined || pending === undefined) return
    this.#cut(op, pending.fiber)
  }

  /** The scope of a lease closes before there is a lease. */
  leave(which: number): void {
    const [op, pending] = [...this.#pending][which % this.#pending.size] ?? []
    if (op === undefined || pending === undefined) return
    this.#pending.delete(op)
    pending.end()
  }

  end(which: number): void {
    const [held] = this.#held.splice(which % this.#held.length, 1)
    held?.end()
  }

  retain(which: number): void {
    const [value, handle] = [...this.#handles][which % this.#handles.size] ?? []
    if (value === undefined || handle === undefined) return
    const op = this.#log.invoke({ f: "retain", value })
    if (!handle.retain()) return this.#log.fail(op, {})
    this.#log.ok(op, {})
    const end = () => {
      const ending = this.#log.invoke({ f: "end", of: op })
      handle.release()
      this.#log.ok(ending, {})
    }
    this.#held.push({ op, value, end })
  }

  invalidate(key: string, budget: number): void {
    this.#operate({ f: "invalidate", key }, this.#subject.invalidate(key), budget)
  }

  close(budget: number): void {
    if (this.#closing) return
    this.#closing = true
    this.#operate({ f: "close" }, Scope.close(this.#scope, Exit.void), budget)
  }

  pass(ms: number): void {
    this.#world.pass(ms)
  }

  async quiet(): Promise<void> {
    await this.#world.drain()
    this.#log.did({ f: "quiet" }, {})
    if (this.#subject.leases !== undefined && !this.#closing) {
      this.#log.did({ f: "look", leases: this.#subject.leases() }, {})
    }
  }

  /** All is given back, and the map closes. */
  async finish(): Promise<void> {
    const passing = async (): Promise<void> => {
      await this.quiet()
      await this.#world.passSlowly(20)
      await this.quiet()
    }
    await passing()
    while (this.#held.length > 0) this.end(0)
    await passing()
    this.close(2_048)
    await passing()
    // Leases got by waiters whose wait ended only with the closing.
    while (this.#held.length > 0) this.end(0)
    await passing()
  }
}

const nat = fc.nat(9)

/** After so many operations a fiber yields: short ones cut any step of ours in two. */
const budgets = fc.oneof(fc.integer({ min: 12, max: 60 }), fc.constant(2_048))

const keys = fc.constantFrom("a", "a", "a", "b", "c")

type Command = "get" | "use" | "end" | "leave" | "interrupt" | "retain" | "invalidate" | "close" | "pass" | "quiet"

/** Possible commands, and their frequencies. */
export const commands = (often: Partial<Record<Command, number>>, budget = budgets, key = keys) => {
  const known: Readonly<Record<Command, fc.Arbitrary<fc.AsyncCommand<LeaseRun, LeaseRun>>>> = {
    get: fc.tuple(key, budget).map(([k, b]) => step(`get ${k} (${b})`, (run) => run.get(k, b))),
    use: fc
      .tuple(key, budget, fc.boolean())
      .map(([k, b, isCut]) => step(`use ${k} (${b}) ${isCut ? "cut" : ""}`, (run) => run.use(k, b, isCut))),
    end: nat.map((n) => step(`end ${n}`, (run) => run.end(n))),
    leave: nat.map((n) => step(`leave ${n}`, (run) => run.leave(n))),
    interrupt: nat.map((n) => step(`interrupt ${n}`, (run) => run.interrupt(n))),
    retain: nat.map((n) => step(`retain ${n}`, (run) => run.retain(n))),
    invalidate: fc.tuple(key, budget).map(([k, b]) => step(`invalidate ${k} (${b})`, (run) => run.invalidate(k, b))),
    close: budget.map((b) => step(`close (${b})`, (run) => run.close(b))),
    pass: fc.constantFrom(1, 4, 5, 9, 10, 11).map((ms) => step(`pass ${ms}`, (run) => run.pass(ms))),
    quiet: fc.constant(step<LeaseRun>("quiet", (run) => run.quiet()))
  }
  return commandsOf<LeaseRun>(
    30,
    (Object.keys(known) as ReadonlyArray<Command>).map((word) => [often[word] ?? 0, known[word]])
  )
}

export const plainPlan: Plan = { takes: 0, fails: "no", stubborn: false, drains: 0, dies: false }

const plan: fc.Arbitrary<Plan> = fc.record({
  takes: fc.constantFrom(0, 0, 5),
  fails: fc.constantFrom<Plan["fails"]>("no", "no", "no", "no", "before it acquires", "after"),
  stubborn: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
  drains: fc.constantFrom(0, 0, 0, 3),
  dies: fc.integer({ min: 0, max: 9 }).map((n) => n === 0)
})

const timed: fc.Arbitrary<Setup> = fc.record({
  idleTimeToLive: fc.constantFrom(0, 10, Infinity),
  capacity: fc.constantFrom(0, 1, 2, Infinity, Infinity),
  maxEntries: fc.constantFrom(1, 1, 2, Infinity, Infinity),
  acquireTimeout: fc.constantFrom(0, 7, Infinity, Infinity),
  plans: fc.array(plan, { minLength: 1, maxLength: 8 }),
  live: fc.constant(false)
})

const hour = 3_600_000

/** Setups in which idle values rest until the end of a turn, as they do in production. */
const timeless: fc.Arbitrary<Setup> = timed.map((setup) => ({
  ...setup,
  idleTimeToLive: setup.idleTimeToLive === 0 ? 0 : hour,
  acquireTimeout: setup.acquireTimeout === 7 ? Infinity : setup.acquireTimeout,
  plans: setup.plans.map((one) => ({ ...one, takes: 0, drains: 0 })),
  live: true
}))

export const setups = fc.oneof({ weight: 3, arbitrary: timed }, { weight: 1, arbitrary: timeless })

/** Plays commands against a map; the result is the history. */
export const play = async (
  make: MakeSubject,
  tasks: fc.Scheduler,
  setup: Setup,
  all: Iterable<fc.AsyncCommand<LeaseRun, LeaseRun>>
): Promise<LeaseHistory> => {
  const run = new LeaseRun(tasks, make, setup)
  await fc.scheduledModelRun(tasks, () => ({ model: run, real: run }), all)
  await run.finish()
  return run.history
}
