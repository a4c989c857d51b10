/**
 * Waiters for room, by key and first come first served: one free place serves all who wait for the same key as the
 * first in line.
 */
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"

export type Reason = "Closed" | "Capacity"

export interface Waiter<Entry> {
  /** Called with a lease, before the fiber that waits wakes up: so a lease granted is never lost on the way. */
  readonly granted: (entry: Entry) => void
  readonly refused: (reason: Reason) => void
}

interface Leased {
  readonly acquire: (isHit: boolean) => boolean
  readonly release: () => unknown
}

interface Group<K, Entry> {
  readonly key: K
  readonly waiters: Set<Waiter<Entry>>
}

export class Queue<K, Entry extends Leased> {
  readonly #groups = new Set<Group<K, Entry>>()
  readonly #byKey = MutableHashMap.empty<K, Group<K, Entry>>()

  get size(): number {
    let size = 0
    for (const group of this.#groups) size += group.waiters.size
    return size
  }

  /** The result leaves the queue; false if the waiter has been granted a lease, or refused. */
  add(key: K, waiter: Waiter<Entry>): () => boolean {
    const group = Option.getOrElse(MutableHashMap.get(this.#byKey, key), () => this.#addGroup(key))
    group.waiters.add(waiter)
    return () => this.#remove(group, waiter)
  }

  /** `acquire` leases the entry of a key; `undefined` if there is no room. */
  serve(acquire: (key: K) => Entry | undefined): void {
    for (const group of this.#groups) {
      const entry = acquire(group.key)
      if (entry === undefined) return
      let isHit = false
      for (const waiter of group.waiters) {
        if (!entry.acquire(isHit)) break
        isHit = true
        if (this.#remove(group, waiter)) waiter.granted(entry)
        else entry.release()
      }
      entry.release()
    }
  }

  refuseAll(reason: Reason): void {
    for (const group of this.#groups) {
      for (const waiter of group.waiters) {
        this.#remove(group, waiter)
        waiter.refused(reason)
      }
    }
  }

  #addGroup(key: K): Group<K, Entry> {
    const group: Group<K, Entry> = { key, waiters: new Set() }
    this.#groups.add(group)
    MutableHashMap.set(this.#byKey, key, group)
    return group
  }

  #remove(group: Group<K, Entry>, waiter: Waiter<Entry>): boolean {
    if (!group.waiters.delete(waiter)) return false
    if (group.waiters.size === 0) {
      this.#groups.delete(group)
      MutableHashMap.remove(this.#byKey, group.key)
    }
    return true
  }
}
