/**
 * The SDK objects of a set: one for each meaning of options, for as long as anybody has it. Those that were asked for
 * lately are held, at most `capacity` of them; all others are known weakly, so that whoever still has one and asks again
 * is given the same one, and what nobody has is collected.
 */
import type { ClientConfig } from "../../ClientConfig.ts"
import * as HeldObjects from "./heldObjects.ts"
import { Entry } from "./objectEntry.ts"
import { RawKeys } from "./rawKeys.ts"

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

const same = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean => {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => name in b && Object.is(a[name], b[name]))
}

/** Entries by their meaning. What nobody has is forgotten once it is collected. */
class Meanings {
  readonly #entries = new Set<Entry>()
  readonly #meanings = new WeakMap<object, Meaning>()
  #byConfig = new WeakMap<ClientConfig, Array<Entry>>()
  readonly #collected: FinalizationRegistry<Entry>

  constructor(onCollected: (entry: Entry) => void) {
    this.#collected = new FinalizationRegistry((entry) => {
      this.#entries.delete(entry)
      onCollected(entry)
    })
  }

  get size(): number {
    return this.#entries.size
  }

  configOf(object: object): ClientConfig | undefined {
    return this.#meanings.get(object)?.config
  }

  configs(): Set<ClientConfig> {
    const all = new Set<ClientConfig>()
    for (const { object } of this.#entries) if (object !== undefined) all.add(this.configOf(object)!)
    return all
  }

  find(kind: unknown, { config, sdk }: Meaning): Entry | undefined {
    return this.#byConfig.get(config)?.find((entry) => {
      if (entry.kind !== kind) return false
      const object = entry.object
      return object !== undefined && same(this.#meanings.get(object)!.sdk, sdk)
    })
  }

  add(kind: unknown, { config, make, sdk }: Wanted<object>): Entry {
    const object = make()
    const entry = new Entry(kind, object)
    this.#meanings.set(object, { config, sdk })
    this.#entries.add(entry)
    this.#collected.register(object, entry)
    const alike = this.#byConfig.get(config)?.filter((other) => other.object !== undefined) ?? []
    alike.push(entry)
    this.#byConfig.set(config, alike)
    return entry
  }

  clear(): void {
    this.#entries.clear()
    this.#byConfig = new WeakMap()
  }
}

/** `idleTimeToLive` is in milliseconds. */
export const make = (capacity: number, idleTimeToLive: number): Objects => {
  const held = HeldObjects.make(capacity, idleTimeToLive)
  const raws = new RawKeys()
  const meanings = new Meanings((entry) => raws.forget(entry))
  return {
    get: <A extends object>(kind: unknown, raw: string | undefined, wanted: () => Wanted<A>): A => {
      const known = raws.find(kind, raw)
      const hit = known?.object
      if (known !== undefined && hit !== undefined) {
        held.touch(known, hit)
        // Objects under a kind were made under that kind.
        return hit as A
      }
      const next = wanted()
      const entry = meanings.find(kind, next) ?? meanings.add(kind, next)
      const object = entry.object!
      raws.remember(entry, raw)
      held.touch(entry, object)
      return object as A
    },
    configOf: (object) => meanings.configOf(object),
    configs: () => meanings.configs(),
    counts: () => ({ held: held.count(), known: meanings.size }),
    clear: () => {
      held.clear()
      raws.clear()
      meanings.clear()
    }
  }
}
