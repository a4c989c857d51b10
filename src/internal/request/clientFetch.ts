/**
 * The `fetch` that an SDK client is given: everything that coordinates agents sits here, below the SDK and above the
 * sockets, so it holds on every road. One request: lease, credential, quota, retries, transport. The lease and the
 * permit last as long as the body. Plain promises: this is the path of every request.
 */
import { closed, released } from "./errors/unsent.ts"
import { withResponse } from "../http/withResponse.ts"
import type { PooledFetch } from "./pooledFetch.ts"
import { RequestLoop } from "./requestLoop.ts"
import { type RequestDeps, RequestState } from "./requestState.ts"
import { Waits } from "./waits.ts"

type Fetch = typeof globalThis.fetch

export interface Closeable extends PooledFetch {
  /** Fails requests that wait for anything but a socket, now and later. */
  readonly close: () => void
}

export const make = (deps: RequestDeps): Closeable => {
  const { lease, place } = deps
  const waits = new Waits()

  const send = async (input: Parameters<Fetch>[0], init: RequestInit | undefined): Promise<Response> => {
    const state = new RequestState(deps, waits, init)
    try {
      const prepared = state.prepare(input, init)
      if (prepared !== undefined) await prepared
      const started = state.awaitStart()
      if (started !== undefined) await started
      const loop = new RequestLoop(state)
      const span = state.metered?.span
      return await (span === undefined ? loop.run() : span.within(() => loop.run()))
    } catch (error) {
      throw state.failed(error)
    } finally {
      state.settled()
    }
  }

  const fetch: Fetch = (input, init) =>
    lease.retain() ? send(input, init) : Promise.reject(deps.isClosed() ? closed(place) : released(place))
  return {
    fetch: withResponse(fetch),
    tryFetch: (input, init) => (lease.join() ? send(input, init) : undefined),
    close: () => waits.close(closed(place))
  }
}
