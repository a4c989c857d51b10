/**
 * Keeps the secret of one credential fresh: loads it once for all waiting requests, loads the next ahead of its expiry,
 * and drops it when the provider refuses it. All users of the credential share one keeper. It owns no timer: the next
 * use does what is due.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type * as Redacted from "effect/Redacted"
import type { Options } from "../../Credential.ts"
import { invalid } from "../options/validate.ts"
import { credentialField, loaded, type LoadedSecret, loads, thrown, type Version } from "./check.ts"
import { Pause } from "./pause.ts"
import { tell } from "./tell.ts"

interface Held extends LoadedSecret {
  /** The version when its load began. */
  readonly version: Version | undefined
  /** True if the provider has refused it since. */
  refused: boolean
}

/** One load under way. */
interface Flight {
  readonly version: Version | undefined
  readonly done: Deferred.Deferred<Held, unknown>
  fiber: Fiber.RuntimeFiber<void> | undefined
  /** Fibers that wait for it; 0 at first if it is ahead of time. */
  waiters: number
  over: boolean
  /** Its result; undefined until it has succeeded. */
  held: Held | undefined
}

/** Starts an effect in a fiber of its own and returns before it runs. */
type Fork = (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>

export class Keeper {
  readonly #id: string
  readonly #load: Options["load"]
  readonly #refreshBefore: number
  #held: Held | undefined
  #flight: Flight | undefined
  /** Flights that are over, while some of their waiters have not woken. */
  readonly #waking = new Set<Flight>()
  /** Between loads ahead of time that fail. */
  readonly #refreshing = new Pause()
  /** The secret that the provider refused last. */
  #refused: Redacted.Redacted | undefined
  #refusals = 0
  /** Between loads that give the refused secret again. */
  readonly #repeating = new Pause()

  constructor(id: string, load: Options["load"], refreshBefore: number) {
    this.#id = id
    this.#load = load
    this.#refreshBefore = refreshBefore
  }

  /** The secret of this version, if it is at hand and good. */
  peek(now: number, version: Version | undefined): Redacted.Redacted | undefined {
    const held = this.#held
    return held !== undefined && held.version === version && now < held.expiresAt ? held.secret : undefined
  }

  /** True if no secret is at hand, of any version: none was loaded, or the last has expired or was refused. */
  isOver(now: number): boolean {
    return this.#held === undefined || now >= this.#held.expiresAt
  }

  /** True if the next secret should be loaded while the one at hand is good. */
  isDue(now: number): boolean {
    const held = this.#held
    return held !== undefined && now >= held.refreshAt && this.#flight === undefined && this.#refreshing.over(now)
  }

  /** Loads ahead of expiry, once a use has seen that it is due. */
  refresh(version: Version | undefined, fork: Fork): void {
    const flight = this.#begin(version, 0)
    flight.fiber = fork(this.#fly(flight))
  }

  /** Fails as the load does, or with an OptionsError if what it gave is no secret. */
  load(version: Version | undefined): Effect.Effect<Redacted.Redacted, unknown> {
    const once = Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<Redacted.Redacted | Held, unknown> => {
      const secret = this.peek(now, version)
      if (secret === undefined) return this.#wait(version)
      if (!this.isDue(now)) return Effect.succeed(secret)
      const flight = this.#begin(version, 0)
      return Effect.as(this.#launch(flight), secret)
    })
    return Effect.flatMap(once, (found) => {
      if (!("expiresAt" in found)) return Effect.succeed(found)
      // A waiter that wakes late, as the last of thousands, may find the secret expired, or refused to an earlier one.
      return Effect.flatMap(Clock.currentTimeMillis, (now) =>
        now < found.expiresAt && !found.refused ? Effect.succeed(found.secret) : this.load(version)
      )
    })
  }

  /**
   * The provider answered 401 to this secret. If it is the one at hand, the next use loads anew. False if that has
   * been tried, and the load gave the same again: the next try of that kind comes after a pause.
   */
  refused(secret: Redacted.Redacted, now: number): boolean {
    const held = this.#held
    const isHeld = held !== undefined && same(held.secret, secret)
    if (isHeld && !this.#repeating.over(now)) return false
    for (const flight of this.#waking) {
      if (flight.held !== undefined && same(flight.held.secret, secret)) flight.held.refused = true
    }
    if (!isHeld) return true
    this.#held = undefined
    this.#refused = held.secret
    this.#refusals++
    return true
  }

  #wait(version: Version | undefined): Effect.Effect<Held, unknown> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.#join(version), (flight) =>
        Effect.ensuring(
          restore(landed(flight)),
          Effect.suspend(() => this.#leave(flight))
        )
      )
    )
  }

  #join(version: Version | undefined): Effect.Effect<Flight> {
    const under = this.#flight
    if (under === undefined || under.version !== version) return this.#launch(this.#begin(version, 1))
    under.waiters++
    return Effect.succeed(under)
  }

  /** A load for another version goes on for its waiters, but later requests no longer join it. */
  #begin(version: Version | undefined, waiters: number): Flight {
    const last = this.#flight
    if (last?.waiters === 0) last.fiber?.unsafeInterruptAsFork(FiberId.none)
    const done = Deferred.unsafeMake<Held, unknown>(FiberId.none)
    return (this.#flight = { version, done, fiber: undefined, waiters, over: false, held: undefined })
  }

  #launch(flight: Flight): Effect.Effect<Flight> {
    return Effect.map(Effect.forkDaemon(this.#fly(flight)), (fiber) => {
      flight.fiber = fiber
      return flight
    })
  }

  /** Begins in a later turn: others who ask in this one join it. */
  #fly(flight: Flight): Effect.Effect<void> {
    return Effect.uninterruptible(
      Effect.flatMap(Effect.zipRight(Effect.yieldNow(), Effect.exit(this.#attempt(flight))), (exit) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          flight.over = true
          if (Exit.isSuccess(exit)) flight.held = exit.value
          if (flight.waiters > 0) this.#waking.add(flight)
          let told: Effect.Effect<void> = Effect.void
          if (this.#flight === flight) {
            this.#flight = undefined
            if (Exit.isSuccess(exit)) this.#keep(exit.value, now)
            else if (flight.waiters === 0) told = this.#failedAhead(exit, now)
          }
          // A load that interrupts itself is a failed load: its waiters were not interrupted.
          const ended = Exit.isInterrupted(exit)
            ? Deferred.fail(flight.done, invalid(credentialField(`${this.#id}.load`), "interrupted", loads))
            : Deferred.done(flight.done, exit)
          return Effect.zipRight(ended, told)
        })
      )
    )
  }

  #attempt(flight: Flight): Effect.Effect<Held, unknown> {
    return Effect.suspend(() => {
      const refusals = this.#refusals
      return Effect.flatMap(Effect.interruptible(this.#load), (input) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.flatMap(
            thrown(() => loaded(this.#id, input, now, this.#refreshBefore)),
            (secret) =>
              // Refused while this load was under way, which tells nothing about the result of a new load.
              refusals !== this.#refusals && this.#isRefused(secret)
                ? this.#attempt(flight)
                : Effect.succeed({ ...secret, version: flight.version, refused: false })
          )
        )
      )
    })
  }

  #isRefused(loaded: LoadedSecret): boolean {
    return this.#refused !== undefined && same(this.#refused, loaded.secret)
  }

  #keep(held: Held, now: number): void {
    this.#held = held
    this.#refreshing.end()
    if (this.#isRefused(held)) this.#repeating.grow(now)
    else this.#repeating.end()
  }

  #failedAhead(exit: Exit.Failure<unknown, unknown>, now: number): Effect.Effect<void> {
    const held = this.#held
    const first = !this.#refreshing.growing
    this.#refreshing.grow(now, held === undefined ? Infinity : (held.expiresAt - now) / 2)
    if (!first) return Effect.void
    const rest =
      held === undefined || now >= held.expiresAt
        ? "the next request loads it again"
        : `the current one is used until ${new Date(held.expiresAt).toISOString()}`
    return Effect.logWarning(
      `credential ${this.#id}: refreshing the secret ahead of its expiry failed (${tell(exit.cause, held?.secret)}); ${rest}`
    )
  }

  /** Stops a load without waiters: one that hangs must not block the next. */
  #leave(flight: Flight): Effect.Effect<void> {
    flight.waiters--
    if (flight.waiters > 0) return Effect.void
    this.#waking.delete(flight)
    if (flight.over || flight.fiber === undefined) return Effect.void
    if (this.#flight === flight) this.#flight = undefined
    return Fiber.interruptFork(flight.fiber)
  }
}

/** Each waiter wakes in a turn of its own, so that one may tell the next that the secret was refused. */
const landed = ({ done, over }: Flight): Effect.Effect<Held, unknown> =>
  over ? Deferred.await(done) : Effect.zipLeft(Deferred.await(done), Effect.yieldNow())

const same = (a: Redacted.Redacted, b: Redacted.Redacted): boolean => a === b || Equal.equals(a, b)
