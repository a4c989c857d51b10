/**
 * One generation of a key: its leases, from `acquire` to `release`, and what stands between its build and its end.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as LeaseMap from "../../LeaseMap.ts"
import type { Construction, LeaseEngine, Reference } from "./engine.ts"
import type { Idle } from "./idle.ts"
import { Outcome } from "./outcome.ts"

/** The registry, as its entries use it. */
export interface LeaseOwner<K, A, E, R> {
  readonly engine: LeaseEngine<A, E, R>
  readonly idle: Idle<LeaseEntry<K, A, E, R>>
  lookup(key: K, handle: LeaseMap.Handle): Effect.Effect<A, E, R>
  hit(entry: LeaseEntry<K, A, E, R>): void
  settled(entry: LeaseEntry<K, A, E, R>, exit: Exit.Exit<A, E>): void
  /** The last lease has ended before the build. */
  abandon(entry: LeaseEntry<K, A, E, R>): void
  /** The last lease has ended: the value waits out its idle time, or is released. */
  rest(entry: LeaseEntry<K, A, E, R>): void
  released(entry: LeaseEntry<K, A, E, R>): void
}

/** One generation of a key. */
export class LeaseEntry<K, A, E, R> implements Construction<A, E, R> {
  readonly #owner: LeaseOwner<K, A, E, R>
  readonly key: K
  readonly generation: number
  readonly reference: Reference
  /** `ended`: nobody gets it any more. Its release has begun, or its build came to nothing. */
  status: "building" | "ready" | "ended" = "building"
  /** Invalidated while leased. */
  isInvalidated = false
  leases = 1
  idleSince: number | undefined = undefined
  built: Exit.Success<A, E> | undefined = undefined
  readonly outcome = new Outcome<A, E | LeaseMap.LeaseError>()
  readonly gone = Deferred.unsafeMake<void>(FiberId.none)

  constructor(owner: LeaseOwner<K, A, E, R>, key: K, generation: number) {
    this.#owner = owner
    this.key = key
    this.generation = generation
    this.reference = owner.engine.build(this)
  }

  /** Counts one more lease, as a `Hit` if it was asked for by key. False if the release of the value has begun. */
  acquire(isHit: boolean): boolean {
    if (this.status === "ended") return false
    if (this.leases === 0) {
      this.idleSince = undefined
      this.#owner.idle.remove(this)
    }
    this.leases++
    if (isHit) this.#owner.hit(this)
    return true
  }

  /** Ends a lease. The effect waits for the finalizers if this was the last and began the release. */
  release(): Effect.Effect<void> {
    if (this.status === "ended" || --this.leases > 0) return Effect.void
    if (this.status === "building") {
      this.#owner.abandon(this)
      return Effect.void
    }
    this.#owner.rest(this)
    return this.isEnded() ? Deferred.await(this.gone) : Effect.void
  }

  /** A look at a status that the calls before may have changed. */
  isEnded(): boolean {
    return this.status === "ended"
  }

  readonly lookup = (): Effect.Effect<A, E, R> => this.#owner.lookup(this.key, handle(this))
  readonly settled = (exit: Exit.Exit<A, E>): void => this.#owner.settled(this, exit)
  readonly released = (): void => this.#owner.released(this)
}

const handle = <K, A, E, R>(entry: LeaseEntry<K, A, E, R>): LeaseMap.Handle => {
  let held = 0
  const acquire = (isHit: boolean): boolean => {
    const isAcquired = entry.acquire(isHit)
    if (isAcquired) held++
    return isAcquired
  }
  return {
    generation: entry.generation,
    leases: () => entry.leases,
    retain: () => acquire(false),
    join: () => acquire(true),
    release: () => {
      if (held === 0) return
      held--
      entry.release()
    }
  }
}
