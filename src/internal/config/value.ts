/** The config as a value: equality, hash, printing, and what is derived from it once. */
import { createHmac, randomBytes } from "node:crypto"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Redacted from "effect/Redacted"
import type { ClientConfig, CredentialKey, TransportKey } from "../../ClientConfig.ts"
import { isCredential, members, nameOf } from "../credential/model.ts"
import * as Equality from "../options/equality.ts"
import { makeInterner } from "../options/intern.ts"
import { struct } from "../options/struct.ts"

export const TypeId: unique symbol = Symbol.for("clientele/ClientConfig")

export type ConfigFields<P extends string> = {
  readonly [
    K in Exclude<
      keyof ClientConfig<P>,
      keyof Equal.Equal | typeof TypeId | "toJSON" | "toString" | typeof NodeInspectSymbol
    >
  ]: ClientConfig<P>[K]
}

class Value<P extends string> implements ClientConfig<P> {
  readonly provider: P
  readonly baseURL: string
  readonly credential: ClientConfig["credential"]
  readonly timeout: number
  readonly bodyTimeout: number
  readonly deadline: number
  readonly maxRetries: number
  readonly retryAmbiguous: ClientConfig["retryAmbiguous"]
  readonly maxRetryAfter: number
  readonly queueTimeout: number
  readonly headers: ClientConfig["headers"]
  readonly query: ClientConfig["query"]
  readonly transport: ClientConfig["transport"]
  readonly quota: ClientConfig["quota"]
  readonly extra: ClientConfig["extra"]
  readonly #hash: number
  #fingerprint: string | undefined
  #transportKey: TransportKey | undefined
  #credentialKeys: ReadonlyArray<CredentialKey> | undefined

  constructor(fields: ConfigFields<P>) {
    this.provider = fields.provider
    this.baseURL = fields.baseURL
    this.credential = fields.credential
    this.timeout = fields.timeout
    this.bodyTimeout = fields.bodyTimeout
    this.deadline = fields.deadline
    this.maxRetries = fields.maxRetries
    this.retryAmbiguous = fields.retryAmbiguous
    this.maxRetryAfter = fields.maxRetryAfter
    this.queueTimeout = fields.queueTimeout
    this.headers = fields.headers
    this.query = fields.query
    this.transport = fields.transport
    this.quota = fields.quota
    this.extra = fields.extra
    let hash = 0
    for (const name of names) hash = (Math.imul(hash, 53) ^ Equality.hash(this[name])) | 0
    this.#hash = Hash.optimize(hash)
    Object.freeze(this)
  }

  get [TypeId](): typeof TypeId {
    return TypeId
  }
  [Hash.symbol](): number {
    return this.#hash
  }
  [Equal.symbol](that: unknown): boolean {
    return that === this || (isClientConfig(that) && names.every((name) => Equality.equals(this[name], that[name])))
  }
  toJSON(): unknown {
    return { _id: "ClientConfig", provider: this.provider, baseURL: this.baseURL, fingerprint: fingerprint(this) }
  }
  toString(): string {
    return `ClientConfig(${this.provider}, ${this.baseURL}, ${fingerprint(this)})`
  }
  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }

  static is(u: unknown): u is ClientConfig {
    return typeof u === "object" && u !== null && #hash in u
  }
  static fingerprint(self: Value<string>): string {
    return (self.#fingerprint ??= digest(self))
  }
  static transportKey(self: Value<string>): TransportKey {
    return (self.#transportKey ??= internTransport(
      struct({
        ...self.transport,
        origin: new URL(self.baseURL).origin,
        isolation: self.transport.isolation === "client" ? self : ("shared" as const)
      })
    ))
  }
  static credentialKeys(self: Value<string>): ReadonlyArray<CredentialKey> {
    return (self.#credentialKeys ??= members(self.credential).map((credential) =>
      internCredential(
        struct({
          provider: self.provider,
          baseURL: self.baseURL,
          credential,
          organization: self.extra["organization"],
          project: self.extra["project"]
        })
      )
    ))
  }
}

/** In this order they are hashed and compared, those that differ most often first. */
const names = [
  "credential",
  "provider",
  "baseURL",
  "timeout",
  "bodyTimeout",
  "deadline",
  "maxRetries",
  "retryAmbiguous",
  "maxRetryAfter",
  "queueTimeout",
  "headers",
  "query",
  "transport",
  "quota",
  "extra"
] as const satisfies ReadonlyArray<keyof ConfigFields<string>>

// Only this module makes configs, so each of them is a Value.
const own = (config: ClientConfig): Value<string> => config as Value<string>

const internConfig = makeInterner<Value<string>>()
const internTransport = makeInterner<TransportKey>()
const internCredential = makeInterner<CredentialKey>()

export const config = <P extends string>(fields: ConfigFields<P>): ClientConfig<P> => internConfig(new Value(fields))

export const isClientConfig = Value.is

export const fingerprint = (config: ClientConfig): string => Value.fingerprint(own(config))

export const transportKey = (config: ClientConfig): TransportKey => Value.transportKey(own(config))

export const credentialKeys = (config: ClientConfig): ReadonlyArray<CredentialKey> => Value.credentialKeys(own(config))

/** Without a salt, a short digest of a config would let anyone test guesses at the key in it. */
const salt = randomBytes(32)

const secret = (value: Redacted.Redacted | undefined) => (value === undefined ? null : Redacted.value(value))

const digest = (self: Value<string>): string => {
  const hmac = createHmac("sha256", salt)
  const { quota, transport } = self
  const fields = [
    self.provider,
    self.baseURL,
    isCredential(self.credential) ? nameOf(self.credential) : secret(self.credential),
    ...[self.timeout, self.bodyTimeout, self.deadline, self.maxRetries, self.maxRetryAfter, self.queueTimeout].map(
      String
    ),
    self.retryAmbiguous,
    Object.entries(self.headers),
    Object.entries(self.query),
    Object.entries(transport).map(([name, value]) => [name, String(value)]),
    secret(transport.proxy),
    secret(transport.key),
    [quota.requestsPerMinute, quota.tokensPerMinute, quota.burst, quota.maxWaiters, quota.retriesPerSecond].map(String),
    typeof quota.maxConcurrency === "number"
      ? String(quota.maxConcurrency)
      : Object.entries(quota.maxConcurrency).map(([name, value]) => [name, String(value)]),
    Object.entries(self.extra)
  ]
  return hmac.update(JSON.stringify(fields)).digest("hex").slice(0, 10)
}
