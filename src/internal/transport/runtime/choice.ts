/**
 * The choice between the pool's own sockets and `fetch`. Where there are no sockets there is none; elsewhere
 * `CLIENTELE_TRANSPORT=fetch` has requests go through the global `fetch` of the moment, which mocking libraries replace.
 */
import { type FetchRuntime, fetchRuntime } from "./runtime.ts"

const VARIABLE = "CLIENTELE_TRANSPORT"

const responseOf = (answer: unknown): Response => {
  const { headers, status } = (answer ?? {}) as Partial<Response>
  if (typeof status === "number" && headers !== undefined && Symbol.iterator in headers) return answer as Response
  throw new TypeError(`globalThis.fetch, which ${VARIABLE}=fetch calls, did not return a Response`)
}

const globalFetch: typeof globalThis.fetch = async (input, init) => responseOf(await globalThis.fetch(input, init))

const replaced: FetchRuntime = {
  maxRequests: Infinity,
  maxRequestsVariable: undefined,
  decodes: true,
  routes: false,
  init: () => ({}),
  ...fetchRuntime,
  name: `a process with ${VARIABLE}=fetch`,
  fetch: globalFetch,
  isStrict: false
}

/** The runtime whose `fetch` sends the requests of pools that are made now; `undefined` where they open sockets. */
export const chosenRuntime = (): FetchRuntime | undefined =>
  process.env[VARIABLE] === "fetch" ? replaced : fetchRuntime

/** Name and value of the variable if the value is unknown. */
export const unknownChoice = (): { readonly field: string; readonly received: string } | undefined => {
  const { [VARIABLE]: given } = process.env
  return given === undefined || given === "" || given === "fetch" || given === "sockets"
    ? undefined
    : { field: VARIABLE, received: given }
}
