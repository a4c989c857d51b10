/** The options that a runtime's own `fetch` can't keep: they are refused rather than ignored. */
import type { TransportSettings } from "../transportOptions.ts"
import type { FetchRuntime } from "./runtime.ts"

export interface Unsupported {
  readonly field: string
  /** The value that was given, in words without secrets. */
  readonly received: string
  readonly expected: string
}

type Name = keyof TransportSettings & string

interface Rule {
  /** Values, beside the default, that ask for what the runtime does anyhow. */
  readonly harmless?: ReadonlyArray<unknown>
  /** Set for options of the route: a runtime that takes a route takes them. */
  readonly isOfRoute?: true
  readonly expected: string
}

const rules: Partial<Record<Name, Rule>> = {
  http2: { harmless: [false], expected: "true or false: its fetch chooses the protocol" },
  keepAlive: { expected: "the default: its fetch decides how long idle connections stay" },
  maxConnectionAge: {
    harmless: [Infinity],
    expected: "the default or Infinity: its fetch decides when connections close"
  },
  connectTimeout: { harmless: [Infinity], expected: "the default or Infinity: timeout bounds connecting as well" },
  proxy: { isOfRoute: true, expected: "unset: its fetch takes no proxy" },
  ca: { isOfRoute: true, expected: "unset: its fetch takes no certificates" },
  cert: { isOfRoute: true, expected: "unset: its fetch takes no certificates" }
}

/** Numbers and words; of a proxy, a certificate or a function no more than that it is there. */
const told = (value: unknown, isOfRoute: boolean): string =>
  isOfRoute || typeof value === "function" ? "given" : String(value)

const named = (runtime: FetchRuntime, field: string, value: string, expected: string): Unsupported => ({
  field,
  received: `${value} on ${runtime.name}, where requests go through the runtime's own fetch`,
  expected
})

/** The first of the transport options that the runtime can't keep. */
export const unsupportedTransport = (
  runtime: FetchRuntime,
  settings: TransportSettings,
  defaults: TransportSettings
): Unsupported | undefined => {
  for (const [name, rule] of Object.entries(rules) as ReadonlyArray<[Name, Rule]>) {
    const value = settings[name]
    const isOfRoute = rule.isOfRoute === true
    if (!isOfRoute && !runtime.isStrict) continue
    if (value === defaults[name] || (isOfRoute && runtime.routes) || rule.harmless?.includes(value) === true) continue
    return named(runtime, name, told(value, isOfRoute), rule.expected)
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
    const expected = "unset: its fetch reports no addresses. allowHost checks the host of each base URL"
    return named(runtime, "allowAddress", told(options.allowAddress, false), expected)
  }
  if (options.maxSockets === undefined || options.maxSockets <= maxRequests) return undefined
  const more = maxRequestsVariable === undefined ? "" : `; ${maxRequestsVariable} raises that`
  const expected = `at most ${maxRequests}, which its fetch sends at once${more}`
  return named(runtime, "maxSockets", String(options.maxSockets), expected)
}
