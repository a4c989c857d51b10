/**
 * The SDK objects of a set: one for each meaning of options, for as long as anybody has it. Those that were asked for
 * lately are held, at most `capacity` of them; all others are known weakly, so that whoever still has one and asks again
 * is given the same one, and what nobody has is collected.
 */
import type { ClientConfig } from "../../ClientConfig.ts"
import { root } from "../util/asyncContext.ts"
import { MAX_TIMEOUT_MS, clearInterval, setInterval } from "../util/timers.ts"

/** An object that is to be found, or made. */
export interface Wanted<A extends object> {
  readonly config: ClientConfig
  /** Options of the object besides its config: two objects are one if these are the same, name by name. */
  readonly sdk: Readonly<Record<string, unknown>>
  readonly make: () => A
}

/** Identity of an object. Reached from the object alone, since its values may lead back to the object. */
interface Meaning {
  readonly config: ClientConfig
  readonly sdk: Readonly<Record<string, unknown>>
}

class Entry {
  readonly kind: unknown
  readonly ref: WeakRef<object>
  /** Raw keys that have led here, the last ones. */
  readonly raws: Array<string> = []
  held: object | undefined = undefined
  /** The turn of the sweep in which it was asked for last. */
  seen = 0

  constructor(kind: unknown, object: object) {
    this.kind = kind
    this.ref = new WeakRef(object)
  }

  get object(): object | undefined {
    return this.held ?? this.ref.deref()
  }
}

export interface Objects {
  /** `raw` is a cheap key of options that need not be read again, `undefined` if they have none. */
  readonly get: <A extends object>(kind: unknown, raw: string | undefined, wanted: () => Wanted<A>) => A
  readonly configOf: (object: object) => ClientConfig | undefined
  /** Configs of all objects that have not been collected. */
  readonly configs: () => Set<ClientConfig>
  readonly counts: () => { readonly held: number; readonly known: number }
  /** Forgets all of them. */
  readonly clear: () => void
}

/** So many spellings of one meaning are remembered. */
const mostRaws = 8

/** Sweeps in an idle time: an object is let go of after one idle time, and at most one and a half. */
const sweeps = 2

const same = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean => {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => name in b && Object.is(a[name], b[name]))
}

/** `idleTimeToLive` is in milliseconds. */
export const make = (capacity: number, idleTimeToLive: number): Objects => {
  const entries = new Set<Entry>()
  /** Held entries, least recently used first. */
  const held = new Set<Entry>()
  const byRaw = new Map<unknown, Map<string, Entry>>()
  let byConfig = new WeakMap<ClientConfig, Array<Entry>>()
  const meanings = new WeakMap<object, Meaning>()
  const every = Math.min(MAX_TIMEOUT_MS, Math.max(10, idleTimeToLive / sweeps))
  let latest: Entry | undefined
  let turn = 0
  let timer: NodeJS.Timeout | undefined

  const forgetRaw = (entry: Entry, raw: string): void => {
    const raws = byRaw.get(entry.kind)
    if (raws?.get(raw) !== entry) return
    raws.delete(raw)
    if (raws.size === 0) byRaw.delete(entry.kind)
  }

  const collected = new FinalizationRegistry<Entry>((entry) => {
    entries.delete(entry)
    for (const raw of entry.raws) forgetRaw(entry, raw)
  })

  const letGo = (entry: Entry): void => {
    entry.held = undefined
    held.delete(entry)
    if (latest === entry) latest = undefined
  }

  const sweep = (): void => {
    turn++
    for (const entry of held) {
      if (turn - entry.seen <= sweeps) break
      letGo(entry)
    }
    if (held.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  const touch = (entry: Entry, object: object): void => {
    if (entry !== latest) {
      held.delete(entry)
      held.add(entry)
      entry.held = object
      latest = entry
      if (held.size > capacity) letGo(held.values().next().value!)
    }
    entry.seen = turn
    if (timer === undefined && idleTimeToLive !== Infinity) timer = root(setInterval, sweep, every).unref()
  }

  const remember = (entry: Entry, raw: string | undefined): void => {
    if (raw === undefined) return
    let raws = byRaw.get(entry.kind)
    if (raws === undefined) byRaw.set(entry.kind, (raws = new Map()))
    raws.set(raw, entry)
    entry.raws.push(raw)
    if (entry.raws.length > mostRaws) forgetRaw(entry, entry.raws.shift()!)
  }

  const find = (kind: unknown, { config, sdk }: Meaning): Entry | undefined => {
    const alike = byConfig.get(config)
    if (alike === undefined) return undefined
    return alike.find((entry) => {
      if (entry.kind !== kind) return false
      const object = entry.object
      return object !== undefined && same(meanings.get(object)!.sdk, sdk)
    })
  }

  const add = <A extends object>(kind: unknown, wanted: Wanted<A>): Entry => {
    const object = wanted.make()
    const entry = new Entry(kind, object)
    meanings.set(object, { config: wanted.config, sdk: wanted.sdk })
    entries.add(entry)
    collected.register(object, entry)
    const alike = byConfig.get(wanted.config)?.filter((other) => other.object !== undefined) ?? []
    alike.push(entry)
    byConfig.set(wanted.config, alike)
    return entry
  }

  return {
    get: <A extends object>(kind: unknown, raw: string | undefined, wanted: () => Wanted<A>): A => {
      const known = raw === undefined ? undefined : byRaw.get(kind)?.get(raw)
      const hit = known?.object
      if (known !== undefined && hit !== undefined) {
        touch(known, hit)
        // Objects under a kind were made under that kind.
        return hit as A
      }
      const next = wanted()
      const entry = find(kind, next) ?? add(kind, next)
      const object = entry.object!
      remember(entry, raw)
      touch(entry, object)
      return object as A
    },
    configOf: (object) => meanings.get(object)?.config,
    configs: () => {
      const all = new Set<ClientConfig>()
      for (const { object } of entries) if (object !== undefined) all.add(meanings.get(object)!.config)
      return all
    },
    counts: () => ({ held: held.size, known: entries.size }),
    clear: () => {
      for (const entry of held) letGo(entry)
      clearInterval(timer)
      timer = undefined
      entries.clear()
      byRaw.clear()
      byConfig = new WeakMap()
    }
  }
}
