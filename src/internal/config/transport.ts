import * as Redacted from "effect/Redacted"
import { transportLimits } from "../util/bounds.ts"
import { chosenRuntime } from "../transport/runtime/choice.ts"
import { unsupportedTransport } from "../transport/runtime/unsupported.ts"
import { type At, bound, describe, integer, invalid, millis, number, within } from "../options/validate.ts"
import { record } from "../options/knownKeys.ts"
import { open } from "../options/secret.ts"
import { struct } from "../options/struct.ts"
import type { TransportOptions, TransportSettings } from "../transport/transportOptions.ts"
import { proxyAddress } from "./url.ts"

const defaults: TransportSettings = struct({
  maxConnections: 256,
  http2: true,
  keepAlive: 60_000,
  maxConnectionAge: 300_000,
  connectTimeout: 10_000,
  ...transportLimits,
  circuitFailures: 64,
  circuitCooldown: 5_000,
  proxy: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  isolation: "shared" as const
})

const names: ReadonlySet<string> = new Set<keyof TransportOptions>(
  Object.keys(defaults) as Array<keyof TransportOptions>
)

/** `environment` gives what `proxy: "env"` means. */
export const transport = (
  at: At,
  input: unknown,
  environment: () => Redacted.Redacted | undefined
): TransportSettings => {
  if (input === undefined) return defaults
  const given = record(at, input, names)
  const read = <A>(name: keyof TransportSettings & string, f: (at: At, value: unknown) => A, otherwise: A): A => {
    const value = given[name]
    return value === undefined ? otherwise : f(within(at, name), value)
  }
  const cert = read("cert", pem, undefined)
  const key = read("key", privateKey, undefined)
  if ((cert === undefined) !== (key === undefined)) {
    const [has, lacks] = cert === undefined ? ["key", "cert"] : ["cert", "key"]
    throw invalid(within(at, lacks), "absent", `both or neither, and ${has} is given`)
  }
  const settings = struct({
    maxConnections: read("maxConnections", (at, value) => integer(at, value, 1), defaults.maxConnections),
    http2: read("http2", http2, defaults.http2),
    keepAlive: read("keepAlive", millis, defaults.keepAlive),
    maxConnectionAge: read("maxConnectionAge", millis, defaults.maxConnectionAge),
    connectTimeout: read("connectTimeout", millis, defaults.connectTimeout),
    maxQueue: read("maxQueue", bound, defaults.maxQueue),
    maxQueueBytes: read("maxQueueBytes", bound, defaults.maxQueueBytes),
    maxResponseBytes: read("maxResponseBytes", bound, defaults.maxResponseBytes),
    maxLineBytes: read("maxLineBytes", bound, defaults.maxLineBytes),
    maxHeadBytes: read("maxHeadBytes", bound, defaults.maxHeadBytes),
    maxHeadFields: read("maxHeadFields", bound, defaults.maxHeadFields),
    circuitFailures: read("circuitFailures", circuitFailures, defaults.circuitFailures),
    circuitCooldown: read("circuitCooldown", circuitCooldown, defaults.circuitCooldown),
    proxy: read("proxy", (at, value) => (value === "env" ? environment() : proxy(at, value)), undefined),
    ca: read("ca", authorities, undefined),
    cert,
    key,
    isolation: read("isolation", isolation, defaults.isolation)
  })
  const runtime = chosenRuntime()
  const unsupported = runtime && unsupportedTransport(runtime, settings, defaults)
  if (unsupported !== undefined) {
    throw invalid(within(at, unsupported.field), unsupported.received, unsupported.expected)
  }
  return settings
}

const http2 = (at: At, value: unknown): TransportSettings["http2"] => {
  if (typeof value === "boolean" || value === "prior-knowledge") return value
  throw invalid(at, describe(value), 'true, false or "prior-knowledge"')
}

const circuitFailures = (at: At, value: unknown): number =>
  value === false
    ? 0
    : number(at, value, (n) => Number.isSafeInteger(n) && n >= 0, "an integer above 0, or false to disable circuits")

const circuitCooldown = (at: At, value: unknown): number => {
  const ms = millis(at, value)
  if (ms < Infinity) return ms
  throw invalid(
    at,
    describe(value),
    'a duration like "30 seconds" or 30000 (ms); circuitFailures: false disables circuits'
  )
}

const isolation = (at: At, value: unknown): "shared" | "client" => {
  if (value === "shared" || value === "client") return value
  throw invalid(at, describe(value), '"shared" or "client"')
}

const proxy = (at: At, value: unknown): Redacted.Redacted =>
  Redacted.make(proxyAddress(at, Redacted.isRedacted(value) ? open(at, value, "a URL") : value))

const privateKey = (at: At, value: unknown): Redacted.Redacted => {
  const expected = "Redacted.make(pem) with a private key"
  if (!Redacted.isRedacted(value)) throw invalid(at, describe(value), expected)
  return Redacted.make(armour(at, open(at, value, expected), expected))
}

const pem = (at: At, value: unknown): string => {
  const expected = "a certificate in PEM, as text or bytes"
  const text = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value
  if (typeof text !== "string") throw invalid(at, describe(value), expected)
  return armour(at, text, expected)
}

const armour = (at: At, text: string, expected: string): string => {
  const plain = text.replaceAll("\r\n", "\n").trim()
  if (!plain.includes("-----BEGIN ")) throw invalid(at, "something that is not PEM", expected)
  return plain
}

/** Which authorities are trusted does not depend on their order, nor on how they are spread over files. */
const authorities = (at: At, value: unknown): string => {
  const files = Array.isArray(value) ? value.map((file) => pem(at, file)) : [pem(at, value)]
  const blocks = files.flatMap((file) => file.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [])
  if (blocks.length === 0) throw invalid(at, "PEM without a complete certificate", "certificates in PEM")
  return [...new Set(blocks)].sort().join("\n")
}
