/**
 * The bound on all sockets of a thread, over client layers and over copies of the package, whatever their versions: each
 * would else take half of the descriptors for itself.
 */
import { softLimit } from "./descriptors.ts"
import { fetchRuntime } from "./runtime/runtime.ts"
import type { Places } from "./places.ts"
import { SocketBudget } from "./sockets.ts"

/** The first copy's, in the global registry. Changes of its shape need another name. */
const KEY: unique symbol = Symbol.for("clientele/sockets@1")

interface Shared {
  readonly places: Places
  /** Makes room for a layer whose own bound its author has set. The result undoes it. */
  readonly claim: (maxSockets: number) => () => void
}

/**
 * Half of the descriptors that this process may open, and 512 at most, or what the runtime's own `fetch` sends at once;
 * elsewhere than on Linux without the descriptors.
 */
const defaultMaxSockets = (): number =>
  Math.max(1, Math.min(512, fetchRuntime?.maxRequests ?? Infinity, Math.floor(softLimit() / 2)))

const make = (): Shared => {
  const absent = defaultMaxSockets()
  const budget = new SocketBudget(absent)
  const claims = new Set<{ readonly maxSockets: number }>()
  const resize = (): void =>
    budget.resize(
      Math.min(
        fetchRuntime?.maxRequests ?? Infinity,
        Math.max(
          absent,
          [...claims].reduce((sum, { maxSockets }) => sum + maxSockets, 0)
        )
      )
    )
  const { exhausted, isShort, leave, mustYield, othersHold, othersWaitSince, release, room, take, yielded } = budget
  return {
    places: { exhausted, isShort, leave, mustYield, othersHold, othersWaitSince, release, room, take, yielded },
    claim: (maxSockets) => {
      const claim = { maxSockets }
      claims.add(claim)
      resize()
      return () => {
        claims.delete(claim)
        resize()
      }
    }
  }
}

const shared = (): Shared => ((globalThis as { [KEY]?: Shared })[KEY] ??= make())

/** The bound of a layer, within that of the thread. `close` is for when its pools have closed. */
export interface LayerSockets {
  readonly budget: SocketBudget
  readonly close: () => void
}

/** `maxSockets`: a bound that its author has set. The thread may have the sum of those, if that is more than its default. */
export const layerSockets = (maxSockets: number | undefined): LayerSockets => {
  const { claim, places } = shared()
  return {
    budget: new SocketBudget(maxSockets ?? defaultMaxSockets(), places),
    close: maxSockets === undefined ? () => undefined : claim(maxSockets)
  }
}
