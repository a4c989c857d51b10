/** A whole sandbox: engine, port, and the port of the statistics. */
import { assemble } from "./assemble.ts"
import { Counters } from "./counters.ts"
import { listen } from "./listen.ts"
import type { Faults, Options, RateLimit, Stats, Upload } from "./model.ts"

export interface Server {
  readonly origin: string
  readonly port: number
  readonly controlOrigin: string | undefined
  readonly faults: Faults
  readonly uploads: ReadonlyArray<Upload>
  readonly stats: () => Stats
  readonly resetStats: () => void
  readonly limit: (limit: RateLimit | undefined) => void
  readonly apiKeys: (keys: Iterable<string> | undefined) => void
  readonly close: () => Promise<void>
}

export const start = async (options: Options): Promise<Server> => {
  const host = options.host ?? "127.0.0.1"
  const { counters, engine, faults, limits } = assemble(options)
  const listenOptions = {
    host,
    port: options.port ?? 0,
    protocol: options.protocol ?? "both",
    tls: options.tls ?? false,
    maxStreams: options.maxStreams ?? 100,
    requestClientCert: options.requestClientCert ?? false
  } as const
  const main = await listen(listenOptions, counters, (exchange) => engine.handle(exchange))
  const shown = host.includes(":") ? `[${host}]` : host
  let control
  try {
    // Its connections are counted by counters of their own, which are not read.
    control =
      options.controlPort === undefined
        ? undefined
        : await listen(
            { ...listenOptions, port: options.controlPort, protocol: "http/1.1", tls: false, requestClientCert: false },
            new Counters(),
            (exchange) => engine.control(exchange)
          )
  } catch (error) {
    await main.close()
    throw error
  }
  let closed: Promise<void> | undefined
  return {
    origin: `${listenOptions.tls ? "https" : "http"}://${shown}:${main.port}`,
    port: main.port,
    controlOrigin: control === undefined ? undefined : `http://${shown}:${control.port}`,
    faults: {
      push: (...rules) => faults.push(...rules),
      replace: (rules) => faults.replace(rules),
      pending: () => faults.pending()
    },
    uploads: engine.files.all,
    stats: () => counters.stats(),
    resetStats: () => counters.reset(),
    limit: (limit) => limits.change(limit),
    apiKeys: (keys) => engine.apiKeys(keys),
    close: () => (closed ??= Promise.all([main.close(), control?.close()]).then(() => {}))
  }
}
