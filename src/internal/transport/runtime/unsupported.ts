/** The options that a runtime's own `fetch` can't keep: they are refused rather than ignored. */
import type { TransportSettings } from "../../config/transportOptions.ts"
import type { FetchRuntime } from "./runtime.ts"

export interface Unsupported {
  readonly field: string
  /** What was given, in words without secrets. */
  readonly received: string
  readonly expected: string
}

type Name = keyof TransportSettings & string

/** Values, beside the default, with which they ask for nothing. */
const harmless: Partial<Record<Name, ReadonlyArray<unknown>>> = {
  http2: [false],
  keepAlive: [],
  maxConnectionAge: [Infinity],
  connectTimeout: [Infinity]
}

const remedies: Partial<Record<Name, string>> = {
  http2: "true or false: its fetch chooses the protocol",
  keepAlive: "the default: its fetch keeps idle connections as it likes",
  maxConnectionAge: "the default or Infinity: its fetch closes connections as it likes",
  connectTimeout: "the default or Infinity: timeout bounds connecting as well",
  proxy: "none: its fetch takes no proxy",
  ca: "none: its fetch takes no certificates",
  cert: "none: its fetch takes no certificates"
}

const named = (runtime: FetchRuntime, field: string, value: unknown, expected: string): Unsupported => ({
  field,
  received: `${typeof value === "object" || typeof value === "function" || String(value).length > 40 ? "given" : String(value)} on ${runtime.name}, where requests go through the runtime's own fetch`,
  expected
})

/** The first of the transport options that the runtime can't keep. */
export const unsupportedTransport = (
  runtime: FetchRuntime,
  settings: TransportSettings,
  defaults: TransportSettings
): Unsupported | undefined => {
  for (const name of Object.keys(remedies) as ReadonlyArray<Name>) {
    const value = settings[name]
    const isOfRoute = harmless[name] === undefined
    if (!isOfRoute && !runtime.isStrict) continue
    if (value === defaults[name] || (isOfRoute ? runtime.routes : harmless[name]!.includes(value))) continue
    return named(runtime, name, value, remedies[name]!)
  }
  return undefined
}

/** The first of the client layer's options that the runtime can't keep. */
export const unsupportedLayer = (
  runtime: FetchRuntime,
  options: { readonly maxSockets: number | undefined; readonly allowAddress: unknown }
): Unsupported | undefined => {
  const { maxRequests, maxRequestsVariable } = runtime
  if (options.allowAddress !== undefined) {
    const expected = "none: addresses are not seen there. allowHost is asked for the host of each base URL"
    return named(runtime, "allowAddress", options.allowAddress, expected)
  }
  if (options.maxSockets === undefined || options.maxSockets <= maxRequests) return undefined
  const more = maxRequestsVariable === undefined ? "" : `; ${maxRequestsVariable} raises that`
  return named(
    runtime,
    "maxSockets",
    options.maxSockets,
    `at most ${maxRequests}, which its fetch sends at once${more}`
  )
}
