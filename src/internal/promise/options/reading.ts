/** Options as they were understood: a value, the same object for the same meaning, so that it can be a key. */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import { NodeInspectSymbol } from "effect/Inspectable"
import type { ClientConfig } from "../../../ClientConfig.ts"
import { makeInterner } from "../../config/intern.ts"

/** What goes to the SDK's constructor beside what the config says. May hold secrets, and prints its names alone. */
export type SdkOptions = Readonly<Record<string, unknown>>

export interface Reading<P extends string = string> {
  readonly config: ClientConfig<P>
  /**
   * `apiKey` is there only if it is a function, which the SDK calls for each request, or `null`: no key but an admin's.
   * `defaultHeaders` has only the `null`s: the names of headers that are taken away.
   */
  readonly sdk: SdkOptions
}

/** The options say by themselves how requests are sent: the SDK's class is to be made with them as they are. */
export interface Bypass {
  /** Which option, and why; for one debug line. */
  readonly bypass: string
}

export const isBypass = (read: Reading | Bypass): read is Bypass => "bypass" in read

class Value<P extends string> implements Reading<P> {
  readonly config: ClientConfig<P>
  readonly sdk: SdkOptions
  readonly #hash: number

  constructor(config: ClientConfig<P>, sdk: SdkOptions) {
    this.config = config
    this.sdk = sdk
    let hash = Hash.hash(config)
    for (const name in sdk) hash = (hash + Math.imul(Hash.string(name), 31) * (Hash.hash(sdk[name]) | 1)) | 0
    this.#hash = Hash.optimize(hash)
    Object.freeze(this)
  }
  [Hash.symbol](): number {
    return this.#hash
  }
  [Equal.symbol](that: unknown): boolean {
    if (!(that instanceof Value) || that.config !== this.config) return false
    const names = Object.keys(this.sdk)
    return (
      names.length === Object.keys(that.sdk).length &&
      names.every((name) => name in that.sdk && Equal.equals(this.sdk[name], that.sdk[name]))
    )
  }
  toJSON(): unknown {
    return { _id: "Reading", config: this.config.toJSON(), sdk: Object.keys(this.sdk) }
  }
  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

const intern = makeInterner<Value<string>>()

export const make = <P extends string>(config: ClientConfig<P>, sdk: Record<string, unknown>): Reading<P> =>
  intern(new Value(config, Object.freeze(Object.assign(Object.create(hushed), sdk))))

/** A webhook's secret and an admin's key are in there. */
const hushed: object = {}
for (const name of ["toJSON", NodeInspectSymbol]) {
  Object.defineProperty(hushed, name, { value: namesOf })
}
function namesOf(this: object) {
  return Object.fromEntries(Object.keys(this).map((name) => [name, "<redacted>"]))
}
