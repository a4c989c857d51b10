/**
 * A plain `fetch` over pools, with nothing in between: no retries, no quota. For libraries that want just a fetch, and
 * for tests.
 */
import type { Timeouts, WirePool } from "./types.ts"
import { exchange } from "./request.ts"
import { prepare } from "./prepare.ts"
import { withResponse } from "./withResponse.ts"

export interface FetchOptions {
  /** In milliseconds. @default none of them */
  readonly timeouts?: Timeouts | undefined
  /** Called once per call, when it holds nothing any more. @default none */
  readonly onEnd?: (() => void) | undefined
}

const untimed: Timeouts = { headers: Infinity, body: Infinity }

export const makeFetch = (poolOf: (origin: string) => WirePool, options: FetchOptions = {}): typeof fetch => {
  const settings = { timeouts: options.timeouts ?? untimed, signal: undefined, onEnd: options.onEnd }
  const send: typeof fetch = async (input, init) => {
    const prepared = prepare(input, init)
    const ready = prepared instanceof Promise ? await prepared : prepared
    return exchange(poolOf(ready.origin), ready, settings)
  }
  return withResponse(send)
}
