/** Credentials as values: what they are called and how they compare. What keeps their secrets fresh is the keeper. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as MutableHashSet from "effect/MutableHashSet"
import * as Redacted from "effect/Redacted"
import type { Credential, Options } from "../../Credential.ts"
import { describe, invalid, millis, text } from "../options/validate.ts"
import { record } from "../options/knownKeys.ts"
import { secret as headerSecret } from "../options/secret.ts"
import { credentialField, loads, version as checkVersion, type Version } from "./check.ts"
import * as Digest from "./digest.ts"
import { Keeper } from "./keeper.ts"
import { Versions } from "./versions.ts"

export const TypeId: unique symbol = Symbol.for("clientele/Credential")

/** One secret: fixed, or known by its name. */
export type Member = Redacted.Redacted | LoadedCredential

abstract class Named implements Credential {
  readonly id: string
  constructor(id: string) {
    this.id = id
  }
  get [TypeId](): typeof TypeId {
    return TypeId
  }
  abstract [Hash.symbol](): number
  abstract [Equal.symbol](that: unknown): boolean
  toJSON(): unknown {
    return { _id: "Credential", id: this.id }
  }
  toString(): string {
    return `Credential(${this.id})`
  }
  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

class Fixed extends Named {
  readonly #secret: Redacted.Redacted
  constructor(secret: Redacted.Redacted) {
    super("fixed")
    this.#secret = secret
    Object.freeze(this)
  }
  get secret(): Redacted.Redacted {
    return this.#secret
  }
  [Hash.symbol](): number {
    return Hash.hash(this.#secret)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Fixed && Equal.equals(this.#secret, that.#secret)
  }
}

/** A secret that is loaded. Copies with their version settled share the keeper of the one they were made from. */
export class LoadedCredential extends Named {
  readonly #version: Options["version"]
  readonly #keeper: Keeper
  readonly #versions: Versions | undefined
  readonly #hash: number

  constructor(id: string, version: Options["version"], keeper: Keeper, versions: Versions | undefined) {
    super(id)
    this.#version = version
    this.#keeper = keeper
    this.#versions = versions
    this.#hash = Hash.combine(Hash.hash(version))(Hash.string(id))
    Object.freeze(this)
  }
  [Hash.symbol](): number {
    return this.#hash
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof LoadedCredential && this.id === that.id && this.#version === that.#version
  }
  override toJSON(): unknown {
    return this.version === undefined ? super.toJSON() : { _id: "Credential", id: this.id, version: this.version }
  }

  get keeper(): Keeper {
    return this.#keeper
  }
  /** Defined if the version is an effect. */
  get versions(): Versions | undefined {
    return this.#versions
  }
  /** As given, or as settled; undefined if there is none or it isn't settled. */
  get version(): Version | undefined {
    return Effect.isEffect(this.#version) ? undefined : this.#version
  }
  /** With its version settled, so that it can be a key. */
  get settled(): LoadedCredential | Effect.Effect<LoadedCredential, unknown> {
    const versions = this.#versions
    return versions === undefined || !Effect.isEffect(this.#version)
      ? this
      : Effect.map(versions.ask, (version) => new LoadedCredential(this.id, version, this.#keeper, versions))
  }
}

class Pool extends Named {
  readonly #members: ReadonlyArray<Member>
  readonly #hash: number
  constructor(members: ReadonlyArray<Member>) {
    super("pool")
    this.#members = members
    this.#hash = Hash.array(members)
    Object.freeze(this)
  }
  get members(): ReadonlyArray<Member> {
    return this.#members
  }
  [Hash.symbol](): number {
    return this.#hash
  }
  [Equal.symbol](that: unknown): boolean {
    return (
      that instanceof Pool &&
      this.#members.length === that.#members.length &&
      this.#members.every((member, i) => Equal.equals(member, that.#members[i]))
    )
  }
  override toJSON(): unknown {
    const members = this.#members.map((one) => (Redacted.isRedacted(one) ? String(one) : one.toJSON()))
    return { _id: "Credential", id: this.id, members }
  }
  override toString(): string {
    return `Credential(pool of ${this.#members.length})`
  }
}

const optionNames: ReadonlySet<string> = new Set<keyof Options>(["id", "load", "refreshBefore", "version"])

export const make = (options: Options): Credential => {
  const given = record(credentialField("options"), options, optionNames)
  const { load, refreshBefore, version } = options
  const id = text(credentialField("id"), given["id"])
  if (!Effect.isEffect(load)) throw invalid(credentialField("load"), describe(load), `an Effect of ${loads}`)
  const ahead = refreshBefore === undefined ? 60_000 : millis(credentialField("refreshBefore"), refreshBefore, 0)
  const keeper = new Keeper(id, load, ahead)
  if (Effect.isEffect(version)) return new LoadedCredential(id, version, keeper, new Versions(version))
  return new LoadedCredential(id, version === undefined ? undefined : checkVersion(version), keeper, undefined)
}

export const fixed = (secret: Redacted.Redacted): Credential => {
  const expected = "Redacted.make(key)"
  if (!Redacted.isRedacted(secret)) throw invalid(credentialField("secret"), describe(secret), expected)
  return new Fixed(headerSecret(credentialField("secret"), secret, expected))
}

export const pool = (credentials: ReadonlyArray<Redacted.Redacted | Credential>): Credential => {
  const expected = "Redacted.make(key), Credential.make({ id, load }) or another pool"
  if (!Array.isArray(credentials))
    throw invalid(credentialField("pool"), describe(credentials), `an array of ${expected}`)
  if (credentials.length === 0) throw invalid(credentialField("pool"), "empty", `at least one of ${expected}`)
  return pooled(
    credentials.flatMap((one: unknown, i) => {
      const where = credentialField(`pool[${i}]`)
      if (isCredential(one)) return membersOf(one)
      if (Redacted.isRedacted(one)) return headerSecret(where, one, expected)
      throw invalid(where, typeof one === "string" ? "a plain string" : describe(one), expected)
    })
  )
}

/** Each once, and one alone as itself: a pool of it would mean the same and be another key. */
const pooled = (all: Iterable<Member>): Credential => {
  const members = [...MutableHashSet.fromIterable(all)]
  const [first] = members
  if (members.length > 1 || first === undefined) return new Pool(members)
  return Redacted.isRedacted(first) ? new Fixed(first) : first
}

export const isCredential = (u: unknown): u is Credential =>
  u instanceof LoadedCredential || u instanceof Fixed || u instanceof Pool

/** The secret of a fixed credential. */
export const fixedSecret = (credential: Credential): Redacted.Redacted | undefined =>
  credential instanceof Fixed ? credential.secret : undefined

const membersOf = (credential: Redacted.Redacted | Credential): ReadonlyArray<Member> => {
  if (Redacted.isRedacted(credential) || credential instanceof LoadedCredential) return [credential]
  if (credential instanceof Pool) return credential.members
  const secret = fixedSecret(credential)
  return secret === undefined ? [] : [secret]
}

/** The secrets of a pool, in order; a credential that is none is its own only member. Fixed ones are unwrapped. */
export const members = (credential: Redacted.Redacted | Credential): ReadonlyArray<Redacted.Redacted | Credential> =>
  membersOf(credential)

/** The credential with its versions settled, so that it can be a key. */
export const settled = (credential: Credential): Credential | Effect.Effect<Credential, unknown> => {
  if (credential instanceof LoadedCredential) return credential.settled
  if (!(credential instanceof Pool)) return credential
  const all = credential.members.map((one) => (one instanceof LoadedCredential ? one.settled : one))
  if (!all.some(Effect.isEffect)) return credential
  return Effect.map(Effect.all(all.map((one) => (Effect.isEffect(one) ? one : Effect.succeed(one)))), pooled)
}

/** Distinguishes one credential from another, without a secret. */
export const nameOf = (credential: Redacted.Redacted | Credential): ReadonlyArray<unknown> => {
  if (Redacted.isRedacted(credential)) return [Digest.ofSecret(credential)]
  if (credential instanceof LoadedCredential)
    return [credential.id, typeof credential.version, String(credential.version)]
  return [credential.id, ...membersOf(credential).map(nameOf)]
}

/**
 * Names its budget where processes share one: the same in each for the same secret or id, and no way to the secret. A
 * version is no part of it, since processes do not learn of a new one at the same moment, and the account stays.
 */
export const stableDigest = (credential: Redacted.Redacted | Credential): string => {
  if (Redacted.isRedacted(credential)) return Digest.ofSecret(credential)
  if (credential instanceof LoadedCredential) return Digest.ofId(credential.id)
  const all = membersOf(credential).map(stableDigest)
  return all.length === 1 ? all[0]! : Digest.ofAll(all)
}
