/** One run of a credential: uses, refusals, rotations and aborts in any order, and the history of all of it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import * as Credential from "../../src/Credential.ts"
import type { SecretSource } from "../../src/internal/credential/secretSource.ts"
import { open } from "../support/credentials.ts"
import type { CredentialCall, CredentialDetail, CredentialHistory } from "./credentialHistory.ts"
import { Recorder } from "./history.ts"
import { commandsOf, step } from "./runs.ts"
import { World } from "./world.ts"

/** Outcome of a load. Times are milliseconds. */
interface Plan {
  readonly takes: number
  /** Lifetime of its token, from the load's beginning on; `Infinity` for a token without an expiry. */
  readonly life: number
  readonly fails: boolean
  /** It gives the last token once more, as a vault does that has no other. */
  readonly repeats: boolean
}

export interface Setup {
  readonly plans: ReadonlyArray<Plan>
  readonly refreshBefore: number
  readonly versioned: boolean
}

export class CredentialRun {
  readonly history: CredentialHistory
  readonly #log: Recorder<CredentialCall, CredentialDetail>
  readonly #world: World
  readonly #source: SecretSource
  readonly #plans: ReadonlyArray<Plan>
  readonly #versioned: boolean
  readonly #waiting = new Map<number, AbortController>()
  readonly #given: Array<string> = []
  #version = 0
  #loads = 0
  #last: string | undefined

  constructor(tasks: fc.Scheduler, { plans, refreshBefore, versioned }: Setup) {
    this.#world = new World(tasks)
    this.#plans = plans
    this.#versioned = versioned
    this.#log = new Recorder(() => this.#world.now)
    this.history = this.#log.entries
    const version = Effect.sync(() => this.#version)
    const credential = Credential.make({
      id: "vault",
      refreshBefore,
      load: this.#load,
      ...(versioned ? { version } : {})
    })
    this.#source = Effect.runSync(
      open(credential).pipe(
        Effect.withClock(this.#world.clock),
        Effect.withScheduler(this.#world.scheduler),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    )
  }

  readonly #load = Effect.suspend(() => {
    const { fails, life, repeats, takes } = this.#plans[this.#loads % this.#plans.length]!
    const load = ++this.#loads
    const op = this.#log.invoke({ f: "load", version: this.#version })
    const expiresAt = this.#world.now + life
    const give = Effect.suspend(() => {
      if (fails) return Effect.fail("the vault is sealed")
      const token = repeats && this.#last !== undefined ? this.#last : `token-${load}`
      this.#last = token
      this.#log.ok(op, { token, expiresAt })
      const secret = Redacted.make(token)
      return Effect.succeed(life === Infinity ? secret : { secret, expiresAt: new Date(expiresAt) })
    })
    return Effect.onExit(takes === 0 ? give : Effect.delay(give, takes), (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) return
        if (Cause.isInterrupted(exit.cause)) this.#log.unknown(op)
        else this.#log.fail(op, {})
      })
    )
  })

  use(): void {
    const op = this.#log.invoke({ f: "use", version: this.#version })
    const got = (secret: Redacted.Redacted): void => {
      const token = Redacted.value(secret)
      this.#given.push(token)
      this.#log.ok(op, { token })
    }
    const secret = this.#source.peek()
    if (secret !== undefined) return got(secret)
    const controller = new AbortController()
    this.#waiting.set(op, controller)
    this.#source.load(controller.signal).then(
      (loaded) => {
        this.#waiting.delete(op)
        got(loaded)
      },
      (error: unknown) => {
        this.#waiting.delete(op)
        if (controller.signal.aborted && error === controller.signal.reason) this.#log.unknown(op)
        else this.#log.fail(op, {})
      }
    )
  }

  abort(which: number): void {
    const [op, controller] = [...this.#waiting][which % this.#waiting.size] ?? []
    if (op === undefined || controller === undefined || controller.signal.aborted) return
    this.#log.did({ f: "abort", of: op }, {})
    controller.abort(new Error("enough"))
  }

  /** Refuses the token that was given `ago` before the last. */
  refuse(ago: number): void {
    const token = this.#given.at(-1 - ago)
    if (token === undefined) return
    const op = this.#log.invoke({ f: "refuse", token })
    this.#log.ok(op, { helps: this.#source.refused(Redacted.make(token)) })
  }

  /** Once those loads have begun that were asked for: or they would be of the next version without knowing it. */
  async rotate(): Promise<void> {
    if (!this.#versioned) return
    await this.#world.drain()
    this.#version++
  }

  pass(ms: number): void {
    this.#world.pass(ms)
  }

  async quiet(): Promise<void> {
    await this.#world.drain()
    this.#log.did({ f: "quiet" }, {})
  }

  async finish(): Promise<void> {
    await this.quiet()
    await this.#world.rush(600_000, () => this.#waiting.size === 0)
    await this.quiet()
  }
}

const nat = fc.nat(5)

const plan: fc.Arbitrary<Plan> = fc.record({
  takes: fc.constantFrom(0, 100, 1_500),
  life: fc.constantFrom(1_000, 3_000, 8_000, 8_000, Infinity),
  fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  repeats: fc.integer({ min: 0, max: 2 }).map((n) => n === 0)
})

export const setups: fc.Arbitrary<Setup> = fc
  .record({
    plans: fc.array(plan, { minLength: 1, maxLength: 8 }),
    refreshBefore: fc.constantFrom(0, 500, 2_000, 10_000),
    versioned: fc.boolean()
  })
  // A vault does not give the token of an old version as that of a new one.
  .map((setup) =>
    setup.versioned ? { ...setup, plans: setup.plans.map((one) => ({ ...one, repeats: false })) } : setup
  )

const words = {
  use: fc.constant(step<CredentialRun>("use", (run) => run.use())),
  refuse: fc.constantFrom(0, 0, 1, 2).map((n) => step<CredentialRun>(`refuse ${n}`, (run) => run.refuse(n))),
  abort: nat.map((n) => step<CredentialRun>(`abort ${n}`, (run) => run.abort(n))),
  rotate: fc.constant(step<CredentialRun>("rotate", (run) => run.rotate())),
  pass: fc
    .oneof(fc.integer({ min: 1, max: 3_000 }), fc.constantFrom(100, 1_500))
    .map((ms) => step<CredentialRun>(`pass ${ms}`, (run) => run.pass(ms))),
  quiet: fc.constant(step<CredentialRun>("quiet", (run) => run.quiet()))
}

export const anything = commandsOf<CredentialRun>(40, [
  [4, words.use],
  [2, words.refuse],
  [2, words.pass],
  [1, words.abort],
  [1, words.rotate],
  [1, words.quiet]
])

export const play = async (
  tasks: fc.Scheduler,
  setup: Setup,
  all: Iterable<fc.AsyncCommand<CredentialRun, CredentialRun>>
): Promise<CredentialHistory> => {
  const run = new CredentialRun(tasks, setup)
  await fc.scheduledModelRun(tasks, () => ({ model: run, real: run }), all)
  await run.finish()
  return run.history
}
