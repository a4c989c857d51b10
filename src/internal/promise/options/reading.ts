/** Options as they were understood. */
import { NodeInspectSymbol } from "effect/Inspectable"
import type { ClientConfig } from "../../../ClientConfig.ts"
import { makeInterner } from "../../options/intern.ts"
import { struct } from "../../options/struct.ts"

/** Two mean the same if their configs are the same object, and so are, name by name, the values in `sdk`. */
export interface Reading<P extends string = string> {
  readonly config: ClientConfig<P>
  /**
   * Options for the SDK's constructor besides those of the config. May hold secrets, and prints its names alone.
   *
   * `apiKey` is there only if it is a function, which the SDK calls for each request, or `null`: no key but an admin's.
   * `baseURL` is there if it was written otherwise than the config has it.
   * `defaultHeaders` has only the `null`s: the names of headers that are taken away.
   */
  readonly sdk: Readonly<Record<string, unknown>>
}

/** The options replace the sending of requests: the SDK's class is made with them as they are. */
export interface Bypass {
  /** Which option, and why; for one debug line. */
  readonly bypass: string
}

export const isBypass = (read: Reading | Bypass): read is Bypass => "bypass" in read

export const make = <P extends string>(config: ClientConfig<P>, sdk: Record<string, unknown>): Reading<P> => ({
  config,
  sdk: Object.freeze(Object.assign(Object.create(hushed), sdk))
})

const intern = makeInterner<object>()

/** Small records within `sdk`: the same object for the same content. */
export const part = (fields: Record<string, unknown>): object => intern(struct(fields))

/** A webhook's secret and an admin's key may be in there. */
const hushed: object = {}
for (const name of ["toJSON", NodeInspectSymbol]) {
  Object.defineProperty(hushed, name, {
    value(this: object) {
      return Object.fromEntries(Object.keys(this).map((field) => [field, "<redacted>"]))
    }
  })
}
