/**
 * Waiters for room, by key and first come first served: one free place serves all who wait for the same key as the
 * first in line.
 */
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"

export type Reason = "Closed" | "Capacity"

export interface Callbacks<Entry> {
  readonly granted: (entry: Entry) => void
  readonly refused: (reason: Reason) => void
  readonly gaveUp: () => void
}

interface Group<Entry> {
  readonly waiters: Set<Waiter<Entry>>
  readonly drop: () => void
}

export abstract class Waiter<Entry> {
  private group: Group<Entry> | undefined = undefined
  private callbacks: Callbacks<Entry> | undefined = undefined
  /** Told before the fiber that waits wakes up, so that a lease granted is never lost on the way. */
  abstract grant(entry: Entry): void

  enqueue(group: Group<Entry>, callbacks: Callbacks<Entry>): void {
    this.group = group
    this.callbacks = callbacks
    group.waiters.add(this)
  }
  leave(): void {
    const group = this.group
    if (group === undefined) return
    this.group = undefined
    group.waiters.delete(this)
    if (group.waiters.size === 0) group.drop()
  }
  /** False if it has left. */
  resume(entry: Entry): boolean {
    if (this.group === undefined) return false
    this.leave()
    this.grant(entry)
    this.callbacks?.granted(entry)
    return true
  }
  /** It waits no more, of its own accord. */
  giveUp(): void {
    if (this.group === undefined) return
    this.leave()
    this.callbacks?.gaveUp()
  }
  refuse(reason: Reason): void {
    if (this.group === undefined) return
    this.leave()
    this.callbacks?.refused(reason)
  }
}

export class Queue<K, Entry> {
  private readonly groups = new Set<Group<Entry> & { readonly key: K }>()
  private readonly byKey = MutableHashMap.empty<K, Group<Entry>>()

  get size(): number {
    let size = 0
    for (const group of this.groups) size += group.waiters.size
    return size
  }

  join(key: K, waiter: Waiter<Entry>, callbacks: Callbacks<Entry>): void {
    const found = Option.getOrUndefined(MutableHashMap.get(this.byKey, key))
    if (found !== undefined) return waiter.enqueue(found, callbacks)
    const group = {
      key,
      waiters: new Set<Waiter<Entry>>(),
      drop: () => {
        this.groups.delete(group)
        MutableHashMap.remove(this.byKey, key)
      }
    }
    this.groups.add(group)
    MutableHashMap.set(this.byKey, key, group)
    waiter.enqueue(group, callbacks)
  }

  /**
   * `enter` leases an entry or says that there is no room, `join` leases the same entry once more, and `give` ends a lease
   * that nobody waits for any more.
   */
  serve(enter: (key: K) => Entry | undefined, join: (entry: Entry) => boolean, give: (entry: Entry) => void): void {
    for (const group of this.groups) {
      const entry = enter(group.key)
      if (entry === undefined) return
      for (const waiter of group.waiters) {
        if (join(entry) && !waiter.resume(entry)) give(entry)
      }
      give(entry)
    }
  }

  refuseAll(reason: Reason): void {
    for (const group of this.groups) for (const waiter of group.waiters) waiter.refuse(reason)
  }
}
