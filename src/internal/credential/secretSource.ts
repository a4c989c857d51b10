/** One secret for the request path: at once where it is known, else loaded once for all waiting requests. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import { OptionsError, RequestError } from "../../ClientError.ts"
import type { Credential } from "../../Credential.ts"
import { LoadedCredential, members } from "./model.ts"
import type { Version } from "./check.ts"
import { tell } from "./tell.ts"
import type { Versions } from "./versions.ts"
import { root } from "../util/asyncContext.ts"
import { startNow } from "../util/startNow.ts"

export interface SecretSource {
  /**
   * Known and good now; starts a refresh in the background when one is due. Synchronous; undefined if it must be
   * loaded, for which `load` is called right then: where the version is an effect that waits, it awaits that one run.
   */
  readonly peek: () => Redacted.Redacted | undefined
  /** Rejects with a RequestError ("Authentication", processed "no", attempts 0), or with the signal's reason. */
  readonly load: (signal: AbortSignal | undefined) => Promise<Redacted.Redacted>
  /**
   * The provider answered 401 to this secret. False if asking again can't help. If true, `peek` and `load` give what to
   * try next; if that equals what was refused, trying it can't help either.
   */
  readonly refused: (secret: Redacted.Redacted) => boolean
  /** True if the last secret has expired or was refused, and unsent requests should wait for the next. */
  readonly isOver: () => boolean
}

interface Place {
  readonly provider: string
  readonly baseURL: string
}

/** One run of a version effect. It never fails, so that no logger sees what it failed with. */
type Asking = Fiber.RuntimeFiber<Exit.Exit<Version, unknown>>

/** `member` is one secret: of a pool each has a source of its own. */
export const make = (place: Place, member: Redacted.Redacted | Credential): Effect.Effect<SecretSource> => {
  const [one] = members(member)
  if (one instanceof LoadedCredential) {
    return Effect.flatMap(Effect.runtime(), (runtime) =>
      Effect.map(Effect.clock, (clock) => loadedSource(place, one, runtime, clock))
    )
  }
  return Redacted.isRedacted(one)
    ? Effect.succeed(fixedSource(one))
    : Effect.dieMessage("a credential without a secret")
}

/**
 * Describes an invalid secret: that message has no part of it. Messages of all other failures of a load may, so they
 * are left out.
 */
const unfit = (cause: unknown): string => (cause instanceof OptionsError ? ` (${cause.message})` : "")

const fixedSource = (secret: Redacted.Redacted): SecretSource => ({
  peek: () => secret,
  load: () => Promise.resolve(secret),
  refused: () => false,
  isOver: () => false
})

/** Loads of one credential, and the runtime in which they run. */
class Loads {
  readonly keeper: LoadedCredential["keeper"]
  readonly id: string
  readonly #place: Place
  readonly #runtime: Runtime.Runtime<never>
  readonly #clock: Clock.Clock

  constructor(place: Place, { id, keeper }: LoadedCredential, runtime: Runtime.Runtime<never>, clock: Clock.Clock) {
    this.keeper = keeper
    this.#place = place
    this.id = id
    this.#runtime = runtime
    this.#clock = clock
  }

  // Effects that run here are shared by all requests, so they must not hang on the one that happened to start them.
  fork<A>(effect: Effect.Effect<A>, options?: Runtime.RunForkOptions): Fiber.RuntimeFiber<A> {
    return root(() => Runtime.runFork(this.#runtime)(effect, options))
  }

  peek(version: Version | undefined): Redacted.Redacted | undefined {
    const now = this.#clock.unsafeCurrentTimeMillis()
    const secret = this.keeper.peek(now, version)
    if (secret !== undefined && this.keeper.isDue(now)) this.keeper.refresh(version, (effect) => this.fork(effect))
    return secret
  }

  async load(
    secret: Effect.Effect<Redacted.Redacted, unknown>,
    signal: AbortSignal | undefined
  ): Promise<Redacted.Redacted> {
    const exit = await root(() =>
      Runtime.runPromiseExit(this.#runtime)(secret, signal === undefined ? undefined : { signal })
    )
    if (Exit.isSuccess(exit)) return exit.value
    if (signal?.aborted) throw signal.reason
    throw this.#failed(Cause.squash(exit.cause))
  }

  refused(secret: Redacted.Redacted): boolean {
    return this.keeper.refused(secret, this.#clock.unsafeCurrentTimeMillis())
  }

  isOver(): boolean {
    return this.keeper.isOver(this.#clock.unsafeCurrentTimeMillis())
  }

  #failed(cause: unknown): RequestError {
    return new RequestError({
      provider: this.#place.provider,
      baseURL: this.#place.baseURL,
      reason: "Authentication",
      detail: `credential ${this.id} could not be loaded${unfit(cause)}; the request was not sent`,
      processed: "no",
      attempts: 0,
      cause
    })
  }
}

const loadedSource = (
  place: Place,
  credential: LoadedCredential,
  runtime: Runtime.Runtime<never>,
  clock: Clock.Clock
): SecretSource => {
  const loads = new Loads(place, credential, runtime, clock)
  const { version, versions } = credential
  return {
    refused: (secret) => loads.refused(secret),
    isOver: () => loads.isOver(),
    ...(versions === undefined
      ? {
          peek: () => loads.peek(version),
          load: (signal: AbortSignal | undefined) => loads.load(loads.keeper.load(version), signal)
        }
      : versioned(loads, versions))
  }
}

/**
 * A version that can't be read stops no request if an earlier one is known: the last known stays, with one warning.
 */
const settle = (loads: Loads, versions: Versions, exit: Exit.Exit<Version, unknown>): Exit.Exit<Version, unknown> => {
  if (Exit.isSuccess(exit) || versions.known === undefined) return exit
  if (!versions.warned) {
    versions.warned = true
    const why = `reading its version failed (${tell(exit.cause, undefined)})`
    loads.fork(Effect.logWarning(`credential ${loads.id}: ${why}; the last known version stays in use`))
  }
  return Exit.succeed(versions.known)
}

/** Reads the version for each request. */
const versioned = (loads: Loads, versions: Versions): Pick<SecretSource, "peek" | "load"> => {
  const ask = Effect.exit(versions.ask)
  /** Version run that `peek` left to `load`. Never interrupted, as others may share what the effect waits for. */
  let asking: Asking | undefined
  return {
    peek: () => {
      const fiber = startNow((options) => loads.fork(ask, options))
      const exit = fiber.unsafePoll()
      asking = exit === null ? fiber : undefined
      if (exit === null) return undefined
      const version = settle(loads, versions, Exit.flatten(exit))
      return Exit.isSuccess(version) ? loads.peek(version.value) : undefined
    },
    load: (signal) => {
      const fiber = asking ?? loads.fork(ask)
      asking = undefined
      const version = Effect.flatMap(Fiber.await(fiber), (exit) => settle(loads, versions, Exit.flatten(exit)))
      const secret = Effect.flatMap(version, (known) => loads.keeper.load(known))
      return loads.load(secret, signal)
    }
  }
}
