/** Chooses the transport of a pool's connections: sockets of its own, or the runtime's own `fetch`. */
import { makeRoute } from "./dial.ts"
import type { Opening, OpeningHost } from "./connection.ts"
import type { ConnectionPoolOptions, PoolSettings } from "./options.ts"
import { SocketOpening } from "./connector.ts"
import { FetchOpening } from "./runtime/fetchOpening.ts"

export type MakeOpening = (host: OpeningHost) => Opening

export const makeOpener = (settings: PoolSettings, options: ConnectionPoolOptions): MakeOpening => {
  const { origin, runtime, url } = settings
  if (runtime === undefined) {
    const route = makeRoute(url, options)
    return (host) => new SocketOpening(host, settings, route)
  }
  const slot = { runtime, origin, init: runtime.init(options), limits: settings }
  return (host) => new FetchOpening(host, slot)
}
