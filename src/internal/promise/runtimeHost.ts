/** Hosts of a set's client map: a runtime of the set's own, or the user's. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as ClientLayer from "../../ClientLayer.ts"
import type { Service } from "../../ClientMap.ts"
import { ClientMap } from "../client/clientMapTag.ts"
import { Exported } from "../otel/exported.ts"
import * as Gauges from "../client/otelGauges.ts"
import { root } from "../util/asyncContext.ts"
import type { MapSource } from "../client/leasedFetch.ts"
import { logger } from "./consoleLogger.ts"

export interface Host extends MapSource {
  /** The service that `service` returned, `undefined` before. */
  readonly peek: () => Service | undefined
  /** Drains and closes what is the set's own. */
  readonly close: () => Promise<void>
}

const nothing = async (): Promise<void> => undefined

/** A layer of one's own. It is built when the first request comes. `opened` is called then, and its result at the end. */
export const own = (options: ClientLayer.Options, opened: () => () => void): Host => {
  let service: Service | undefined
  let close = nothing
  const open = (): Service => {
    const layer = ClientLayer.layer(options).pipe(
      Layer.provide(Layer.succeed(Exported, true)),
      Layer.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    const runtime = ManagedRuntime.make(layer)
    const closing = opened()
    let unwatch: (() => void) | undefined
    close = () => {
      closing()
      unwatch?.()
      return runtime.dispose()
    }
    const map = runtime.runSync(ClientMap)
    unwatch = Gauges.watch(map)
    return map
  }
  return {
    // Not in the context of whichever request came first: the map outlives it.
    service: () => (service ??= root(open)),
    peek: () => service,
    close: () => close()
  }
}

/** The client map of a runtime that the user has made, and closes. */
export const shared = (runtime: ManagedRuntime.ManagedRuntime<ClientMap, unknown>): Host => {
  let service: Service | undefined
  let opening: Promise<Service> | undefined
  const open = async (): Promise<Service> => {
    try {
      return (service = await runtime.runPromise(ClientMap))
    } finally {
      opening = undefined
    }
  }
  return {
    // One promise for all, which keeps their order.
    service: () => service ?? (opening ??= root(open)),
    peek: () => service,
    close: nothing
  }
}
