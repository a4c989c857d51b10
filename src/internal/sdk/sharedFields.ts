/**
 * The fields of a shared client: they read as the user set them, can't be set, and what is secret in them stands in
 * closures, where no printer looks.
 */
import type { Own } from "../request/pooledFetch.ts"
import type { Asking } from "./streamDetection.ts"
import type { Site } from "./callSite.ts"

/** Settings of a client beside those of its SDK. */
export interface Pooled {
  /** The client's, which our fetch applies to requests without their own. */
  readonly timeout: number
  readonly maxRetries: number
  /**
   * Reads the key, `null` for none. The SDK writes what it was given: a placeholder, which our fetch replaces.
   *
   * @default as the SDK was given it
   */
  readonly apiKey?: (() => string | null) | undefined
  /** A function that gives each request its key. @default none */
  readonly token?: (() => unknown) | undefined
  /** Maps an SDK's error to the one that is thrown. @default it is thrown as it is */
  readonly unwrap?: ((thrown: unknown) => unknown) | undefined
  /** Maps a failure of ours to the error that the reader of a body gets. @default the failure */
  readonly told?: Own["told"]
  /** True to warn of streams that are dropped before their end, with their call sites. @default false */
  readonly watched?: boolean | undefined
  /** @default the SDK's own, over the same fetch */
  readonly withOptions?: ((options: object) => object) | undefined
}

/** State of one client. */
export interface State extends Pooled {
  /** The key that the SDK was given. */
  given: string | undefined
  /** While the SDK writes the header of a request: what stands in it for the key. Set within one turn only. */
  written: string | undefined
  /** Settings of requests that bring none of their own. */
  readonly own: Own | undefined
  /** The call that is being made, for an SDK that leaves open whether it asks for a stream. */
  asking: Asking | undefined
  /** While the SDK makes a request of a call: where that was made. Set within one turn only. */
  site: Site | undefined
  readonly fields: Record<string, unknown>
  /** In closures, where no printer looks. */
  readonly secrets: Record<string, () => unknown>
}

export const STATE: unique symbol = Symbol("clientele/state")

const secret = new Set(["apiKey", "adminAPIKey", "webhookSecret"])

interface Shareable {
  readonly apiKey: string | null
  readonly _options: Record<PropertyKey, unknown>
  readonly [STATE]: State
}

/** Fields read as before. They can't be set, and those with secrets are not counted among what is printed. */
export const share = (client: Shareable, state: State): void => {
  const { apiKey, fields, secrets } = state
  state.given = client.apiKey ?? undefined
  for (const [name, value] of Object.entries(client)) {
    if (name.startsWith("_")) continue
    if (!secret.has(name)) fields[name] = value
    else secrets[name] = name === "apiKey" && apiKey !== undefined ? apiKey : () => value
    Object.defineProperty(client, name, accessors(name))
  }
  const options = client._options
  for (const name of secret) if (name !== "apiKey" && options[name] != null) options[name] = null
  Object.defineProperty(client, "_options", { value: options, enumerable: false })
  quicken(client)
}

/** V8 (12 to 14) remembers nothing of a function before it has been called eight times, and so does nothing for it. */
const enough = 16

/**
 * V8 makes a hash table of an object whose fields become accessors, and each request reads dozens of them: that was a
 * twelfth of its CPU. An object that others inherit from becomes a plain one again when something is looked for through
 * it (`JSObject::MakePrototypesFast`). Where that is not so, nothing happens.
 */
const quicken = (client: object): void => {
  const heir = Object.create(client) as Unfound
  for (let i = 0; i < enough; i++) seek(heir)
}

interface Unfound {
  readonly nothing?: unknown
}

const seek = (heir: Unfound): unknown => heir.nothing

interface Self {
  readonly [STATE]: State
}

const reader = (name: string) =>
  name === "apiKey"
    ? function (this: Self) {
        const { secrets, written } = this[STATE]
        return written ?? secrets[name]!()
      }
    : secret.has(name)
      ? function (this: Self) {
          return this[STATE].secrets[name]!()
        }
      : function (this: Self) {
          return this[STATE].fields[name]
        }

const accessorsOf = new Map<string, PropertyDescriptor>()

const accessors = (name: string): PropertyDescriptor => {
  let made = accessorsOf.get(name)
  if (made === undefined) {
    made = {
      get: reader(name),
      set: () => {
        throw new TypeError(
          `client.${name} can't be set: the client is shared by all who asked for it with the same options. ` +
            `Ask for one with another ${name}, or use client.withOptions`
        )
      },
      enumerable: !secret.has(name),
      configurable: true
    }
    accessorsOf.set(name, made)
  }
  return made
}
