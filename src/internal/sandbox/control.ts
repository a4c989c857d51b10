/** Control API of the sandbox for other processes, under `/__sandbox/`. Its requests are not counted. */
import * as Either from "effect/Either"
import { collect } from "./body.ts"
import type { Exchange } from "./exchange.ts"
import { number, object } from "./json.ts"
import type { RateLimit } from "./model.ts"

export interface Controls {
  /** For JSON. */
  readonly stats: () => unknown
  readonly reset: () => void
  readonly limit: (limit: RateLimit | undefined) => void
  readonly apiKeys: (keys: Iterable<string> | undefined) => void
}

type Answer = Either.Either<unknown, string>

type Check = (value: unknown) => boolean
const positive: Check = (value) => typeof value === "number" && value > 0
const notNegative: Check = (value) => typeof value === "number" && value >= 0
const CHARGES: ReadonlyArray<RateLimit["charge"]> = ["used", "reserved", "asked"]

const FIELDS: Readonly<Record<string, Check>> = {
  requestsPerMinute: positive,
  tokensPerMinute: positive,
  maxConcurrency: notNegative,
  burst: positive,
  concurrencyRetryAfter: notNegative,
  charge: (value) => CHARGES.some((charge) => charge === value)
} satisfies Record<keyof RateLimit, Check>

const limitOf = (value: unknown): Either.Either<RateLimit | undefined, string> => {
  if (value === null) return Either.right(undefined)
  const limit = object(value)
  if (limit === undefined) return Either.left("expected an object, or null for no limit")
  for (const [name, given] of Object.entries(limit)) {
    if (FIELDS[name]?.(given) !== true) return Either.left(`${name} can't be ${JSON.stringify(given)}`)
  }
  return Either.right({
    requestsPerMinute: number(limit["requestsPerMinute"]),
    tokensPerMinute: number(limit["tokensPerMinute"]),
    maxConcurrency: number(limit["maxConcurrency"]),
    burst: number(limit["burst"]),
    concurrencyRetryAfter: number(limit["concurrencyRetryAfter"]),
    charge: CHARGES.find((charge) => charge === limit["charge"])
  })
}

const keysOf = (value: unknown): Either.Either<ReadonlyArray<string> | undefined, string> => {
  if (value === null) return Either.right(undefined)
  return Array.isArray(value) && value.every((key) => typeof key === "string")
    ? Either.right(value)
    : Either.left("expected an array of strings, or null for any key")
}

const parsed = (body: string): Either.Either<unknown, string> =>
  Either.try({ try: (): unknown => JSON.parse(body), catch: () => "expected JSON" })

const commands: Readonly<Record<string, (body: string, controls: Controls) => Answer>> = {
  "/__sandbox/reset": (_, controls) => Either.right(controls.reset()),
  "/__sandbox/limit": (body, controls) => Either.map(Either.flatMap(parsed(body), limitOf), controls.limit),
  "/__sandbox/api-keys": (body, controls) => Either.map(Either.flatMap(parsed(body), keysOf), controls.apiKeys)
}

export const control = (exchange: Exchange, controls: Controls): void => {
  exchange.onClose(() => {})
  collect(exchange, (body) => {
    const path = exchange.url
    const command = exchange.method === "POST" ? commands[path] : undefined
    if (command !== undefined) {
      const done = command(body ?? "", controls)
      return Either.isLeft(done) ? say(exchange, 400, { error: done.left }) : say(exchange, 200, controls.stats())
    }
    if (path === "/__sandbox/stats") return say(exchange, 200, controls.stats())
    say(exchange, 404, { error: `no ${path} here` })
  })
}

const say = (exchange: Exchange, status: number, value: unknown): void => {
  const body = JSON.stringify(value)
  exchange.head(status, { "content-type": "application/json", "content-length": `${Buffer.byteLength(body)}` })
  exchange.end(body)
}
