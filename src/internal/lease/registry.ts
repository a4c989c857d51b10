/**
 * The books of a LeaseMap: which generation of a key is current, who leases it, what makes room for what.
 *
 * All of it is plain synchronous code, so that no fiber can step between a look-up and the count that follows from it.
 * Building, idle time and finalizing are the engine's.
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import type * as LeaseMap from "../../LeaseMap.ts"
import * as Engine from "./engine.ts"
import { Queue } from "./queue.ts"

export type Refuse = (reason: LeaseMap.LeaseError["reason"], map: string) => LeaseMap.LeaseError

/** One generation of a key. */
export class Entry<K, A, E, R> extends Engine.Slot<A, E, R> {
  readonly registry: Registry<K, A, E, R>
  readonly key: K
  readonly generation: number
  /** `ended`: nobody gets it any more. Its release has begun, or its build came to nothing. */
  status: "building" | "ready" | "ended" = "building"
  /** Invalidated while leased. */
  doomed = false
  leases = 1
  idleSince: number | undefined = undefined
  built: Exit.Success<A, E> | undefined = undefined
  readonly outcome = Deferred.unsafeMake<A, E | LeaseMap.LeaseError>(FiberId.none)
  readonly gone = Deferred.unsafeMake<void>(FiberId.none)

  constructor(registry: Registry<K, A, E, R>, key: K, generation: number) {
    super()
    this.registry = registry
    this.key = key
    this.generation = generation
  }
  override lookup(): Effect.Effect<A, E, R> {
    return this.registry.options.lookup(this.key, handle(this))
  }
  override releasing(): void {
    this.registry.detach(this)
    this.registry.serve()
  }
  override released(): void {
    this.registry.released(this)
  }
}

const handle = <K, A, E, R>(entry: Entry<K, A, E, R>): LeaseMap.Handle => {
  let retained = 0
  const kept = (taken: boolean): boolean => {
    if (taken) retained++
    return taken
  }
  return {
    generation: entry.generation,
    leases: () => entry.leases,
    retain: () => kept(entry.registry.take(entry)),
    join: () => kept(entry.registry.join(entry)),
    release: () => {
      if (retained === 0) return
      retained--
      entry.registry.give(entry)
    }
  }
}

export class Registry<K, A, E, R> {
  readonly options: LeaseMap.Options<K, A, E, R>
  readonly engine: Engine.Engine<A, E, R>
  readonly refuse: (reason: LeaseMap.LeaseError["reason"]) => LeaseMap.LeaseError
  readonly capacity: number
  readonly maxEntries: number
  readonly drainTimeout: Duration.Duration
  readonly current = MutableHashMap.empty<K, Entry<K, A, E, R>>()
  /** Everything whose release has not begun, what was invalidated under its borrowers included. */
  readonly live = new Set<Entry<K, A, E, R>>()
  /** Entries of `live` without a lease, least recently used first. */
  readonly idle = new Set<Entry<K, A, E, R>>()
  /** Entries whose finalizers run. */
  readonly ending = new Set<Entry<K, A, E, R>>()
  readonly queue = new Queue<K, Entry<K, A, E, R>>()
  readonly totals = { hits: 0, misses: 0, built: 0, failed: 0, released: 0, evicted: 0 }
  generations = 0
  closed = false
  serving = false

  constructor(
    options: LeaseMap.Options<K, A, E, R>,
    engine: Engine.Engine<A, E, R>,
    drainTimeout: Duration.Duration,
    refuse: (reason: LeaseMap.LeaseError["reason"]) => LeaseMap.LeaseError
  ) {
    this.options = options
    this.engine = engine
    this.drainTimeout = drainTimeout
    this.refuse = refuse
    this.capacity = options.capacity ?? Infinity
    this.maxEntries = options.maxEntries ?? Infinity
  }

  emit(_tag: Exclude<LeaseMap.Event<K>["_tag"], "Failed">, entry: Entry<K, A, E, R>): void {
    if (this.options.onEvent === undefined) return
    this.tell({ _tag, key: entry.key, generation: entry.generation })
  }

  tell(event: LeaseMap.Event<K>): void {
    try {
      this.options.onEvent?.(event)
    } catch {
      // A watcher must not decide what becomes of a lease.
    }
  }

  /** Counts one more lease. False if the release of the entry has begun. */
  take(entry: Entry<K, A, E, R>): boolean {
    if (entry.status === "ended") return false
    if (entry.leases === 0) {
      if (!this.engine.hold(entry)) {
        this.discard(entry)
        return false
      }
      this.idle.delete(entry)
      entry.idleSince = undefined
    }
    entry.leases++
    return true
  }

  /** Counts one lease less. The effect waits for the release where the last lease brings it about. */
  give(entry: Entry<K, A, E, R>): Effect.Effect<void> {
    if (entry.status === "ended" || --entry.leases > 0) return Effect.void
    if (entry.status === "building") {
      this.detach(entry)
      this.engine.abandon(entry)
      this.serve()
      return Effect.void
    }
    this.idle.add(entry)
    entry.idleSince = this.engine.clock.unsafeCurrentTimeMillis()
    if (entry.doomed || !this.isWorthKeeping(entry)) {
      this.discard(entry)
    } else {
      this.engine.rest(entry)
      this.trim()
    }
    this.serve()
    return this.isEnded(entry) ? Deferred.await(entry.gone) : Effect.void
  }

  isWorthKeeping({ built }: Entry<K, A, E, R>): boolean {
    const { worthKeeping } = this.options
    return worthKeeping === undefined || built === undefined || worthKeeping(built.value)
  }

  /** A look at a status that the calls before may have changed. */
  isEnded(entry: Entry<K, A, E, R>): boolean {
    return entry.status === "ended"
  }

  /** `take`, for those who asked by key. */
  join(entry: Entry<K, A, E, R>): boolean {
    if (!this.take(entry)) return false
    this.totals.hits++
    this.emit("Hit", entry)
    return true
  }

  /** Leases what is current, or builds it; `undefined` if there is no room. */
  enter(key: K): Entry<K, A, E, R> | undefined {
    // Making room runs finalizers, and these may come back here: look again each time.
    for (;;) {
      const found = Option.getOrUndefined(MutableHashMap.get(this.current, key))
      if (found !== undefined && this.join(found)) return found
      if (this.live.size < this.maxEntries) return this.create(key)
      if (!this.evict()) return undefined
    }
  }

  create(key: K): Entry<K, A, E, R> {
    const entry = new Entry(this, key, ++this.generations)
    MutableHashMap.set(this.current, key, entry)
    this.live.add(entry)
    this.totals.misses++
    this.emit("Miss", entry)
    this.engine.start(entry, (exit) => this.settled(entry, exit))
    this.trim()
    return entry
  }

  settled(entry: Entry<K, A, E, R>, exit: Exit.Exit<A, E>): void {
    if (Exit.isSuccess(exit)) {
      entry.built = exit
      this.totals.built++
      this.emit("Built", entry)
      // Nobody waits any more, and it would not be interrupted.
      if (entry.status === "ended") return this.engine.discard(entry)
      entry.status = "ready"
    } else {
      this.detach(entry)
      this.totals.failed++
      if (this.options.onEvent !== undefined) {
        this.tell({ _tag: "Failed", key: entry.key, generation: entry.generation, cause: exit.cause })
      }
      this.engine.discard(entry)
      this.serve()
    }
    Deferred.unsafeDone(entry.outcome, exit)
  }

  /** From here on nobody gets it. By identity: its key may be another generation's already. */
  detach(entry: Entry<K, A, E, R>): void {
    if (entry.status === "ended") return
    entry.status = "ended"
    entry.idleSince = undefined
    this.live.delete(entry)
    this.idle.delete(entry)
    this.ending.add(entry)
    this.forget(entry)
  }

  forget(entry: Entry<K, A, E, R>): void {
    const found = MutableHashMap.get(this.current, entry.key)
    if (Option.isSome(found) && found.value === entry) MutableHashMap.remove(this.current, entry.key)
  }

  discard(entry: Entry<K, A, E, R>): void {
    this.detach(entry)
    this.engine.discard(entry)
  }

  released(entry: Entry<K, A, E, R>): void {
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
    for (const entry of this.idle) {
      this.totals.evicted++
      this.emit("Evicted", entry)
      this.discard(entry)
      return true
    }
    return false
  }

  /** Lets in those who wait for room. */
  serve(): void {
    if (this.serving || this.closed) return
    this.serving = true
    this.queue.serve(
      (key) => this.enter(key),
      (entry) => this.join(entry),
      (entry) => this.give(entry)
    )
    this.serving = false
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      this.queue.refuseAll("Closed")
      for (const entry of this.live) {
        if (entry.status === "building") {
          this.detach(entry)
          Deferred.unsafeDone(entry.outcome, Effect.fail(this.refuse("Closed")))
          this.engine.abandon(entry)
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
        invalidated: entry.doomed,
        value: entry.built?.value
      }))
    }
  }

  invalidate(key: K): Effect.Effect<void> {
    const found = Option.getOrUndefined(MutableHashMap.get(this.current, key))
    if (found === undefined) return Effect.void
    this.emit("Invalidated", found)
    if (found.leases > 0) {
      found.doomed = true
      this.forget(found)
      return Effect.void
    }
    this.discard(found)
    this.serve()
    return Deferred.await(found.gone)
  }
}
