/**
 * The books of a LeaseMap: which generation of a key is current, who leases it, what makes room for what.
 *
 * All of it is plain synchronous code, so that no fiber can step between a look-up and the count that follows from it.
 * Its interface is `acquire`, by key or of an entry, and `release`. Building and finalizing are the engine's.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import type * as LeaseMap from "../../LeaseMap.ts"
import type { Ticker } from "../util/ticker.ts"
import type { LeaseEngine } from "./engine.ts"
import { LeaseEntry, type LeaseOwner } from "./entry.ts"
import { refuseOpaque } from "./keys.ts"
import { Idle } from "./idle.ts"
import { Queue } from "./queue.ts"

export type Refuse = (reason: LeaseMap.LeaseError["reason"], map: string) => LeaseMap.LeaseError

export class Registry<K, A, E, R> implements LeaseOwner<K, A, E, R> {
  readonly options: LeaseMap.Options<K, A, E, R>
  readonly engine: LeaseEngine<A, E, R>
  readonly ticker: Ticker
  readonly refuse: (reason: LeaseMap.LeaseError["reason"]) => LeaseMap.LeaseError
  readonly idleTimeToLive: number
  readonly capacity: number
  readonly maxEntries: number
  readonly drainTimeout: Duration.Duration
  readonly acquireTimeout: Duration.Duration
  readonly current = MutableHashMap.empty<K, LeaseEntry<K, A, E, R>>()
  /** Everything whose release has not begun, what was invalidated under its borrowers included. */
  readonly live = new Set<LeaseEntry<K, A, E, R>>()
  /** Entries of `live` without a lease. */
  readonly idle: Idle<LeaseEntry<K, A, E, R>>
  /** Entries whose finalizers run. */
  readonly ending = new Set<LeaseEntry<K, A, E, R>>()
  readonly queue = new Queue<K, LeaseEntry<K, A, E, R>>()
  readonly totals = { hits: 0, misses: 0, built: 0, failed: 0, released: 0, evicted: 0 }
  generations = 0
  isClosed = false
  isServing = false

  constructor(
    options: LeaseMap.Options<K, A, E, R>,
    engine: LeaseEngine<A, E, R>,
    ticker: Ticker,
    drainTimeout: Duration.Duration,
    refuse: (reason: LeaseMap.LeaseError["reason"]) => LeaseMap.LeaseError
  ) {
    this.options = options
    this.engine = engine
    this.ticker = ticker
    this.drainTimeout = drainTimeout
    this.refuse = refuse
    this.acquireTimeout = Duration.decode(options.acquireTimeout ?? 0)
    this.idleTimeToLive = Duration.toMillis(options.idleTimeToLive ?? Duration.minutes(1))
    this.capacity = options.capacity ?? Infinity
    this.maxEntries = options.maxEntries ?? Infinity
    this.idle = new Idle(ticker, this.idleTimeToLive, (entry) => this.discard(entry))
  }

  emit(_tag: Exclude<LeaseMap.Event<K>["_tag"], "Failed">, entry: LeaseEntry<K, A, E, R>): void {
    if (this.options.onEvent === undefined) return
    this.notify({ _tag, key: entry.key, generation: entry.generation })
  }

  notify(event: LeaseMap.Event<K>): void {
    try {
      this.options.onEvent?.(event)
    } catch {
      // A watcher must not decide what becomes of a lease.
    }
  }

  /** Leases what is current, or builds it; `undefined` if there is no room. Throws for a key that can't be one. */
  acquire(key: K): LeaseEntry<K, A, E, R> | undefined {
    // Making room runs finalizers, and these may come back here: look again each time.
    for (;;) {
      const found = Option.getOrUndefined(MutableHashMap.get(this.current, key))
      if (found?.acquire(true)) return found
      refuseOpaque(this.options.name ?? "LeaseMap", key)
      if (this.live.size < this.maxEntries) return this.create(key)
      if (!this.evict()) return undefined
    }
  }

  create(key: K): LeaseEntry<K, A, E, R> {
    const entry = new LeaseEntry<K, A, E, R>(this, key, ++this.generations)
    MutableHashMap.set(this.current, key, entry)
    this.live.add(entry)
    this.totals.misses++
    this.emit("Miss", entry)
    this.trim()
    return entry
  }

  lookup(key: K, handle: LeaseMap.Handle): Effect.Effect<A, E, R> {
    return this.options.lookup(key, handle)
  }

  hit(entry: LeaseEntry<K, A, E, R>): void {
    this.totals.hits++
    this.emit("Hit", entry)
  }

  settled(entry: LeaseEntry<K, A, E, R>, exit: Exit.Exit<A, E>): void {
    if (Exit.isSuccess(exit)) {
      entry.built = exit
      this.totals.built++
      this.emit("Built", entry)
      if (entry.isEnded()) {
        // Abandoned too late to be interrupted.
        entry.outcome.done(Exit.interrupt(FiberId.none))
        return entry.reference.release()
      }
      entry.status = "ready"
    } else {
      this.detach(entry)
      this.totals.failed++
      if (this.options.onEvent !== undefined) {
        this.notify({ _tag: "Failed", key: entry.key, generation: entry.generation, cause: exit.cause })
      }
      entry.reference.release()
      this.serve()
    }
    entry.outcome.done(exit)
  }

  /** Nobody waits for the build any more. */
  abandon(entry: LeaseEntry<K, A, E, R>): void {
    this.detach(entry)
    entry.reference.abandon()
    this.serve()
  }

  /** Keeps a value without leases for its idle time, or releases it. */
  rest(entry: LeaseEntry<K, A, E, R>): void {
    if (entry.isInvalidated || this.idleTimeToLive <= 0 || !this.isWorthKeeping(entry)) return this.discard(entry)
    entry.idleSince = this.ticker.date()
    this.idle.add(entry)
    this.trim()
    this.serve()
  }

  isWorthKeeping({ built }: LeaseEntry<K, A, E, R>): boolean {
    const { worthKeeping } = this.options
    return worthKeeping === undefined || built === undefined || worthKeeping(built.value)
  }

  /** From here on nobody gets it. By identity: its key may be another generation's already. */
  detach(entry: LeaseEntry<K, A, E, R>): void {
    if (entry.isEnded()) return
    entry.status = "ended"
    entry.idleSince = undefined
    this.live.delete(entry)
    this.idle.remove(entry)
    this.ending.add(entry)
    this.forget(entry)
  }

  forget(entry: LeaseEntry<K, A, E, R>): void {
    const found = MutableHashMap.get(this.current, entry.key)
    if (Option.isSome(found) && found.value === entry) MutableHashMap.remove(this.current, entry.key)
  }

  /** Releases a value, leased or not. */
  discard(entry: LeaseEntry<K, A, E, R>): void {
    this.detach(entry)
    entry.reference.release()
    this.serve()
  }

  released(entry: LeaseEntry<K, A, E, R>): void {
    this.ending.delete(entry)
    if (entry.built !== undefined) {
      this.totals.released++
      this.emit("Released", entry)
    }
    Deferred.unsafeDone(entry.gone, Exit.void)
  }

  trim(): void {
    while (this.live.size > this.capacity && this.evict());
  }

  /** Releases the least recently used idle entry, if there is one. */
  evict(): boolean {
    const entry = this.idle.first()
    if (entry === undefined) return false
    this.detach(entry)
    this.totals.evicted++
    this.emit("Evicted", entry)
    entry.reference.release()
    return true
  }

  /** Lets in those who wait for room. */
  serve(): void {
    if (this.isServing || this.isClosed) return
    this.isServing = true
    this.queue.serve((key) => this.acquire(key))
    this.isServing = false
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      this.queue.refuseAll("Closed")
      this.idle.close()
      for (const entry of this.live) {
        if (entry.status === "building") {
          this.detach(entry)
          // Before the interruption, with which the build may settle at once.
          entry.outcome.done(Exit.fail(this.refuse("Closed")))
          entry.reference.abandon()
        } else {
          this.discard(entry)
        }
      }
      const drained = Effect.forEach(this.ending, (entry) => Deferred.await(entry.gone), { discard: true })
      // In a fiber of the map: its clock, its logger. A build that can't be interrupted is left behind.
      const closing = this.engine.fork(Effect.zipRight(drained, this.engine.close))
      const waiting = this.engine.fork(Effect.timeoutOption(Fiber.await(closing), this.drainTimeout))
      return Effect.asVoid(Fiber.await(waiting))
    })
  }

  snapshot(): LeaseMap.Stats<K, A> {
    return {
      ...this.totals,
      waiting: this.queue.size,
      entries: Array.from(this.live, (entry) => ({
        key: entry.key,
        generation: entry.generation,
        leases: entry.leases,
        idleSince: entry.idleSince,
        invalidated: entry.isInvalidated,
        value: entry.built?.value
      }))
    }
  }

  invalidate(key: K): Effect.Effect<void> {
    const found = Option.getOrUndefined(MutableHashMap.get(this.current, key))
    if (found === undefined) return Effect.void
    this.emit("Invalidated", found)
    if (found.leases > 0) {
      found.isInvalidated = true
      this.forget(found)
      return Effect.void
    }
    this.discard(found)
    return Deferred.await(found.gone)
  }
}
