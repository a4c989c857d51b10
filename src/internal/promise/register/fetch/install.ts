/**
 * A global `fetch` that hands requests for known origins to the pool, and all others to the `fetch` that was there
 * before. Loads next to nothing until the first of them comes. A `fetch` set later replaces it.
 */
import { createRequire } from "node:module"
import { extname } from "node:path"
import type { OptionsError as OptionsErrorType } from "../../../../ClientError.ts"
import * as Origins from "../origins.ts"
import type * as Send from "./send.ts"

type Fetch = typeof globalThis.fetch

/** Keys of the dispatcher that all requests of `fetch` go through: of Node and undici up to 7, and of undici 8. */
const dispatchers = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")]

/** The defaults: undici 8 keeps its own for both, wrapped for the older ones. */
const defaults = new Set(["Agent", "Dispatcher1Wrapper"])

/** True for proxies and mocks, whose owner wants them to see the requests. */
const isDispatched = (): boolean =>
  dispatchers.some((key) => {
    const dispatcher = (globalThis as unknown as Record<symbol, object | undefined>)[key]
    return dispatcher !== undefined && !defaults.has(dispatcher.constructor?.name)
  })

/** True for requests that ask for more than the pool has. */
const isBeyond = (init: (RequestInit & { readonly dispatcher?: unknown }) | undefined): boolean =>
  init?.dispatcher != null || (init?.integrity != null && init.integrity !== "")

const isRequest = (input: unknown): input is Request => typeof input === "object" && input instanceof Request

const urlOf = (input: Parameters<Fetch>[0]): string =>
  isRequest(input) ? input.url : typeof input === "string" ? input : String(input)

const isPooled = (input: Parameters<Fetch>[0], init: RequestInit | undefined): boolean => {
  if (isBeyond(init) || isDispatched() || (isRequest(input) && input.integrity !== "")) return false
  try {
    const origin = Origins.originOf(urlOf(input))
    return origin !== undefined && Origins.find(origin) !== undefined
  } catch {
    // An object that throws as it turns into an address: `fetch` rejects with that.
    return false
  }
}

const replace = (): void => {
  const original = globalThis.fetch
  let loading: Promise<typeof Send> | undefined
  const load = (): Promise<typeof Send> =>
    (loading ??= import("./send.ts").catch((error: unknown) => {
      loading = undefined
      throw error
    }))
  const fetch: Fetch = (input, init = undefined) => {
    if (isPooled(input, init)) return load().then(({ send }) => send(original, input, init))
    return original.call(globalThis, input, init)
  }
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, "fetch")
  Object.defineProperty(globalThis, "fetch", {
    writable: true,
    enumerable: true,
    configurable: true,
    ...descriptor,
    value: fetch
  })
}

const refuse = (entry: number): never => {
  const path = `../../../../ClientError${extname(import.meta.url)}`
  const { OptionsError } = createRequire(import.meta.url)(path) as { readonly OptionsError: typeof OptionsErrorType }
  throw new OptionsError({
    provider: "clientele",
    field: "CLIENTELE_FETCH",
    received: `entry ${entry} is not a base URL`,
    expected: "1, or base URLs with http: or https:, without user, query and fragment, separated by commas"
  })
}

/** True if `fetch` is pooled from now on, as `variable` asks for. Throws an OptionsError for what can't be used. */
export const install = (variable: string | undefined): boolean => {
  const read = Origins.readVariable(variable)
  if (typeof read === "object") return refuse(read.invalid)
  if (read && typeof globalThis.fetch === "function") replace()
  return read
}
