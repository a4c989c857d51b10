/** The options of a client layer, with their defaults. */
import { OptionsError } from "../../ClientError.ts"
import type { Options } from "../../ClientLayer.ts"
import { describe, integer, invalid, millis } from "../options/validate.ts"
import { record } from "../options/knownKeys.ts"
import { chosenRuntime, unknownChoice } from "../transport/runtime/choice.ts"
import { unsupportedLayer } from "../transport/runtime/unsupported.ts"

/** Durations in milliseconds, `Infinity` for none. */
export interface Settings {
  readonly idleTimeToLive: number
  readonly capacity: number
  readonly maxClients: number
  readonly acquireTimeout: number
  /** `undefined`: of those of the process. */
  readonly maxSockets: number | undefined
  readonly drainTimeout: number
  readonly leakWarning: number | undefined
  readonly allowHost: Options["allowHost"]
  readonly allowAddress: Options["allowAddress"]
}

const names: ReadonlySet<string> = new Set<keyof Options>([
  "idleTimeToLive",
  "capacity",
  "maxClients",
  "acquireTimeout",
  "maxSockets",
  "drainTimeout",
  "leakWarning",
  "allowHost",
  "allowAddress"
])

const at = (field: string) => ({ provider: "clientele", field })

const count = <A extends number | undefined>(field: keyof Options, given: unknown, absent: A): number | A =>
  given === undefined ? absent : given === Infinity ? Infinity : integer(at(field), given, 1)

const duration = (field: keyof Options, given: unknown, absent: number): number =>
  given === undefined ? absent : millis(at(field), given, 0)

const question = <Name extends "allowHost" | "allowAddress">(field: Name, given: unknown): Options[Name] => {
  if (given === undefined || typeof given === "function") return given as Options[Name]
  throw invalid(at(field), describe(given), "a function that returns true for allowed destinations")
}

export const read = (options: Options): Settings | OptionsError => {
  try {
    const given = record(at("options"), options, names)
    const settings: Settings = {
      idleTimeToLive: duration("idleTimeToLive", given["idleTimeToLive"], 60_000),
      capacity: count("capacity", given["capacity"], 1024),
      maxClients: count("maxClients", given["maxClients"], Infinity),
      acquireTimeout: duration("acquireTimeout", given["acquireTimeout"], 0),
      maxSockets: count("maxSockets", given["maxSockets"], undefined),
      drainTimeout: duration("drainTimeout", given["drainTimeout"], 10_000),
      leakWarning: given["leakWarning"] === undefined ? undefined : duration("leakWarning", given["leakWarning"], 0),
      allowHost: question("allowHost", given["allowHost"]),
      allowAddress: question("allowAddress", given["allowAddress"])
    }
    const unknown = unknownChoice()
    if (unknown !== undefined) throw invalid(at(unknown.field), unknown.received, '"fetch", "sockets", or unset')
    const runtime = chosenRuntime()
    const unsupported = runtime && unsupportedLayer(runtime, settings)
    if (unsupported !== undefined) throw invalid(at(unsupported.field), unsupported.received, unsupported.expected)
    return settings
  } catch (error) {
    if (error instanceof OptionsError) return error
    throw error
  }
}
