/** Secrets that change: known by name, loaded once for all who wait. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Hash from "effect/Hash"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Redacted from "effect/Redacted"
import type { Credential, Expiring, Options } from "../Credential.ts"
import { describe, invalid, millis, text } from "./config/check.ts"
import { record } from "./config/names.ts"
import { secret as headerSecret } from "./config/secret.ts"

export const TypeId: unique symbol = Symbol.for("clientele/Credential")

/** A loaded secret, and until when (ms since the epoch) it is used without asking again. */
interface Current {
  readonly secret: Redacted.Redacted
  readonly goodUntil: number
}

/** One load under way, and how many wait for it. */
interface Flight {
  readonly done: Deferred.Deferred<Redacted.Redacted, unknown>
  fiber: Fiber.RuntimeFiber<void> | undefined
  waiters: number
}

abstract class Named implements Credential {
  readonly id: string
  constructor(id: string) {
    this.id = id
  }
  get [TypeId](): typeof TypeId {
    return TypeId
  }
  abstract [Hash.symbol](): number
  abstract [Equal.symbol](that: unknown): boolean
  toJSON(): unknown {
    return { _id: "Credential", id: this.id }
  }
  toString(): string {
    return `Credential(${this.id})`
  }
  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

class Fixed extends Named {
  readonly #secret: Redacted.Redacted
  constructor(secret: Redacted.Redacted) {
    super("fixed")
    this.#secret = secret
    Object.freeze(this)
  }
  get secret(): Redacted.Redacted {
    return this.#secret
  }
  [Hash.symbol](): number {
    return Hash.hash(this.#secret)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Fixed && Equal.equals(this.#secret, that.#secret)
  }
}

class Loaded extends Named {
  readonly #load: Options["load"]
  readonly #refreshBefore: number
  readonly #version: Options["version"]
  readonly #hash: number
  /** The credential of the version that was current last, where the version is an effect. */
  #latest: Loaded | undefined
  #current: Current | undefined
  #flight: Flight | undefined

  constructor(id: string, load: Options["load"], refreshBefore: number, version: Options["version"]) {
    super(id)
    this.#load = load
    this.#refreshBefore = refreshBefore
    this.#version = version
    this.#hash = Hash.combine(Hash.hash(version))(Hash.string(id))
    Object.freeze(this)
  }
  [Hash.symbol](): number {
    return this.#hash
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Loaded && this.id === that.id && this.#version === that.#version
  }
  override toJSON(): unknown {
    return Effect.isEffect(this.#version) || this.#version === undefined
      ? super.toJSON()
      : { _id: "Credential", id: this.id, version: this.#version }
  }

  /** With its version settled, so that it can be a key. */
  get settled(): Loaded | Effect.Effect<Loaded, unknown> {
    if (!Effect.isEffect(this.#version)) return this
    return Effect.flatMap(this.#version, (version) =>
      thrown(() => {
        if (this.#latest === undefined || this.#latest.#version !== version) {
          this.#latest = new Loaded(this.id, this.#load, this.#refreshBefore, checkVersion(version))
        }
        return this.#latest
      })
    )
  }

  get name(): ReadonlyArray<unknown> {
    return [this.id, typeof this.#version, String(this.#version)]
  }

  peek(now: number): Redacted.Redacted | undefined {
    return this.#current !== undefined && now < this.#current.goodUntil ? this.#current.secret : undefined
  }

  readonly load: Effect.Effect<Redacted.Redacted, unknown> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const secret = this.peek(now)
      if (secret !== undefined) return Effect.succeed(secret)
      return Effect.flatMap(this.#join(), (flight) =>
        Effect.ensuring(
          restore(Deferred.await(flight.done)),
          Effect.suspend(() => this.#leave(flight))
        )
      )
    })
  )

  #join(): Effect.Effect<Flight> {
    if (this.#flight !== undefined) {
      this.#flight.waiters++
      return Effect.succeed(this.#flight)
    }
    const flight: Flight = { done: Deferred.unsafeMake(FiberId.none), fiber: undefined, waiters: 1 }
    this.#flight = flight
    return Effect.map(Effect.forkDaemon(this.#fly(flight)), (fiber) => {
      flight.fiber = fiber
      return flight
    })
  }

  #fly(flight: Flight): Effect.Effect<void> {
    const load = Effect.flatMap(Effect.interruptible(this.#load), (loaded) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        thrown(() => checkLoaded(this.id, loaded, now, this.#refreshBefore))
      )
    )
    return Effect.flatMap(Effect.exit(load), (exit) => {
      if (this.#flight === flight) {
        this.#flight = undefined
        if (Exit.isSuccess(exit)) this.#current = exit.value
      }
      // A load that interrupts itself is a failed load: its waiters were not interrupted.
      if (Exit.isInterrupted(exit))
        return Deferred.fail(flight.done, invalid(at(`${this.id}.load`), "interrupted", loads))
      return Deferred.done(
        flight.done,
        Exit.map(exit, (current) => current.secret)
      )
    })
  }

  /** A load that nobody waits for any more is stopped: one that hangs must not stand in the way of the next. */
  #leave(flight: Flight): Effect.Effect<void> {
    flight.waiters--
    if (flight.waiters > 0 || this.#flight !== flight || flight.fiber === undefined) return Effect.void
    this.#flight = undefined
    return Fiber.interruptFork(flight.fiber)
  }
}

const at = (field: string) => ({ provider: "credential", field })

const checkVersion = (version: unknown): string | number => {
  if (typeof version === "string" || Number.isFinite(version)) return version as string | number
  throw invalid(at("version"), describe(version), "a string or a finite number")
}

const loads = "Redacted.make(secret) or { secret: Redacted.make(secret), expiresAt: a Date }"

const checkLoaded = (id: string, loaded: unknown, now: number, refreshBefore: number): Current => {
  const where = at(`${id}.load`)
  if (Redacted.isRedacted(loaded)) return { secret: headerSecret(where, loaded, loads), goodUntil: Infinity }
  const { secret, expiresAt } = (loaded ?? {}) as Partial<Expiring>
  if (!Redacted.isRedacted(secret)) throw invalid(where, `an effect of ${describe(loaded)}`, loads)
  const expires = expiresAt instanceof Date ? expiresAt.getTime() : Number.NaN
  if (Number.isNaN(expires)) throw invalid(where, "a secret without a valid expiresAt", loads)
  const early = expires - refreshBefore
  // A secret that lives no longer than `refreshBefore` would be loaded for each request.
  return { secret: headerSecret(where, secret, loads), goodUntil: early > now ? early : now + (expires - now) / 2 }
}

const thrown = <A>(f: () => A): Effect.Effect<A, unknown> => Effect.try({ try: f, catch: (error) => error })

const optionNames: ReadonlySet<string> = new Set<keyof Options>(["id", "load", "refreshBefore", "version"])

export const make = (options: Options): Credential => {
  const given = record(at("options"), options, optionNames)
  const { load, refreshBefore, version } = options
  const id = text(at("id"), given["id"])
  if (!Effect.isEffect(load)) throw invalid(at("load"), describe(load), `an Effect of ${loads}`)
  return new Loaded(
    id,
    load,
    refreshBefore === undefined ? 60_000 : millis(at("refreshBefore"), refreshBefore, 0),
    version === undefined || Effect.isEffect(version) ? version : checkVersion(version)
  )
}

export const fixed = (secret: Redacted.Redacted): Credential => {
  const expected = "Redacted.make(key)"
  if (!Redacted.isRedacted(secret)) throw invalid(at("secret"), describe(secret), expected)
  return new Fixed(headerSecret(at("secret"), secret, expected))
}

export const isCredential = (u: unknown): u is Credential => u instanceof Loaded || u instanceof Fixed

/** The secret of a fixed credential. */
export const fixedSecret = (credential: Credential): Redacted.Redacted | undefined =>
  credential instanceof Fixed ? credential.secret : undefined

/** The credential with its version settled, so that it can be a key. */
export const settled = (credential: Credential): Credential | Effect.Effect<Credential, unknown> =>
  credential instanceof Loaded ? credential.settled : credential

/** What tells one credential from another, without a secret. */
export const nameOf = (credential: Credential): ReadonlyArray<unknown> =>
  credential instanceof Loaded ? credential.name : [credential.id]

/**
 * The secret if it is at hand and good at `now` (ms since the epoch): the road of nearly every request, without an
 * Effect or a promise.
 */
export const peek = (credential: Redacted.Redacted | Credential, now: number): Redacted.Redacted | undefined => {
  if (Redacted.isRedacted(credential)) return credential
  return credential instanceof Loaded ? credential.peek(now) : fixedSecret(credential)
}

/** The secret, loaded if it has to be. Fails as the load does, or with an OptionsError if what it gave is no secret. */
export const load = (credential: Redacted.Redacted | Credential): Effect.Effect<Redacted.Redacted, unknown> => {
  if (Redacted.isRedacted(credential)) return Effect.succeed(credential)
  return credential instanceof Loaded
    ? credential.load
    : Effect.suspend(() => Effect.fromNullable(fixedSecret(credential)))
}
