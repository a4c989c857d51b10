/**
 * The world in which histories are made: fibers take their turns as fast-check's scheduler says, and time passes on
 * command. Nothing depends on how fast the machine is, so a seed replays a run.
 */
import { setImmediate as turn } from "node:timers/promises"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type fc from "fast-check"
import { schedulerOf } from "../support/scheduler.ts"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Turns of a run: no run here needs a tenth of them. */
const most = 20_000

export class World {
  now = 0
  readonly #tasks: fc.Scheduler
  #sleepers: Array<Sleeper> = []
  #turns = 0

  constructor(tasks: fc.Scheduler) {
    this.#tasks = tasks
  }

  readonly clock: Clock.Clock = Object.assign(Clock.make(), {
    unsafeCurrentTimeMillis: () => this.now,
    currentTimeMillis: Effect.sync(() => this.now),
    unsafeCurrentTimeNanos: () => BigInt(this.now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(this.now) * 1_000_000n),
    sleep: (duration: Duration.Duration) =>
      Effect.async<void>((resume) => {
        const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        this.#sleepers.push(sleeper)
        return Effect.sync(() => {
          this.#sleepers = this.#sleepers.filter((one) => one !== sleeper)
        })
      })
  })

  /** One turn of one fiber is one task, and those that are ready go in any order. */
  readonly scheduler: Scheduler.Scheduler = schedulerOf((turn) => {
    // A fiber that goes round for ever would take the test with it: this way it is one that never ends.
    if (this.#turns++ < most) void this.#tasks.schedule(Promise.resolve(), "fiber").then(turn)
  })

  /** `budget` is after how many operations it yields to others: wherever that lands. */
  fork<A, E>(effect: Effect.Effect<A, E>, budget = 2_048): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(Effect.withMaxOpsBeforeYield(effect, budget), { scheduler: this.scheduler })
  }

  /** Time passes. Who slept is woken, and goes when its turn comes, which may be late. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      let next: Sleeper | undefined
      for (const one of this.#sleepers) if (next === undefined || one.at < next.at) next = one
      if (next === undefined || next.at > until) break
      const first = next
      this.#sleepers = this.#sleepers.filter((one) => one !== first)
      this.now = Math.max(this.now, first.at)
      first.wake()
    }
    this.now = until
  }

  /** Lets all go that can go without time passing. */
  async drain(): Promise<void> {
    for (let still = 0; still < 2; still++) {
      await turn()
      if (this.#tasks.count() > 0) still = 0
      await this.#tasks.waitAll()
    }
  }

  /** Time passes up to `ms`, from one moment at which somebody wakes to the next, until all is over. */
  async rush(ms: number, isOver: () => boolean): Promise<void> {
    const until = this.now + ms
    for (;;) {
      await this.drain()
      const next = Math.min(...this.#sleepers.map(({ at }) => at))
      if (isOver() || next > until) return
      this.pass(Math.max(0, next - this.now))
    }
  }

  /** Time passes, and at each moment all go that can. */
  async passSlowly(ms: number, step = 1): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.pass(step)
      await this.drain()
    }
  }
}
