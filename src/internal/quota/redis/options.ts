/** The options of a store in Redis, checked. */
import * as Redacted from "effect/Redacted"
import { OptionsError } from "../../../ClientError.ts"
import type { Options } from "../../../QuotaRedis.ts"
import { type At, describe, invalid, millis, text } from "../../options/validate.ts"
import { object, record } from "../../options/knownKeys.ts"
import type { Client } from "./client.ts"
import type { Target } from "./connection.ts"
import { defaults } from "./makeStore.ts"

export interface Plan {
  /** A client of the user's own, or where to connect to. */
  readonly redis: { readonly client: Client } | { readonly target: Target }
  readonly prefix: string
  /** Milliseconds. */
  readonly commandTimeout: number
}

const names: ReadonlySet<string> = new Set<keyof Options>(["url", "client", "prefix", "commandTimeout"])

const at = (field: string): At => ({ provider: "QuotaRedis", field })

const form = "a URL like redis://user:password@host:6379/0, or rediss:// for TLS"

const isClient = (given: unknown): given is Client => {
  const fields = object(at("client"), given, "an ioredis client")
  return typeof fields["evalsha"] === "function" && typeof fields["pipeline"] === "function"
}

const clientOf = (given: unknown): Client => {
  if (isClient(given)) return given
  throw invalid(at("client"), "an object of another kind", "an ioredis client: new Redis(...) or new Cluster(...)")
}

/** User and password, as they were before they were put into a URL. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid(at("url"), "a URL with an invalid percent-encoding", "user and password percent-encoded")
  }
}

const targetOf = (given: unknown): Target => {
  const plain = Redacted.isRedacted(given) ? Redacted.value(given) : given
  if (typeof plain !== "string" || plain === "") throw invalid(at("url"), describe(plain), form)
  // It may hold a password, and so may whatever was given in its place: no error quotes it.
  const url = URL.parse(plain)
  const secure = url?.protocol === "rediss:"
  if (url === null || url.hostname === "" || (!secure && url.protocol !== "redis:")) {
    throw invalid(at("url"), `${describe(plain)} that is not such a URL`, form)
  }
  if (url.search !== "" || url.hash !== "") {
    throw invalid(at("url"), "a URL with parameters", `${form}; for anything more pass an ioredis client as client`)
  }
  const db = /^\/?(\d{0,9})$/.exec(url.pathname)?.[1]
  if (db === undefined)
    throw invalid(at("url"), "a URL whose path is not a number", `${form}; the path is the database`)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(db),
    ...(url.username === "" ? {} : { username: decoded(url.username) }),
    ...(url.password === "" ? {} : { password: decoded(url.password) }),
    ...(secure ? { tls: {} } : {})
  }
}

const timeoutOf = (given: unknown): number => {
  const ms = millis(at("commandTimeout"), given)
  if (ms !== Infinity) return ms
  throw invalid(at("commandTimeout"), "Infinity", "a finite duration: requests wait for it when Redis hangs")
}

export const read = (options: Options): Plan | OptionsError => {
  try {
    const given = record(at("options"), options, names)
    const { client, commandTimeout, prefix, url } = given
    if (client !== undefined && url !== undefined) throw invalid(at("client"), "given beside url", "one of the two")
    return {
      redis: client === undefined ? { target: targetOf(url) } : { client: clientOf(client) },
      prefix: prefix === undefined ? defaults.prefix : text(at("prefix"), prefix),
      commandTimeout: commandTimeout === undefined ? defaults.commandTimeout : timeoutOf(commandTimeout)
    }
  } catch (error) {
    if (error instanceof OptionsError) return error
    throw error
  }
}
