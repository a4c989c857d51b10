/** A crowd of agents on clientele, as an application would write it. Imported by the processes that are measured. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as ClientConfig from "clientele/ClientConfig"
import type { ClientError, OptionsError } from "clientele/ClientError"
import * as ClientLayer from "clientele/ClientLayer"
import type { ClientMap } from "clientele/ClientMap"
import * as OpenAiClient from "clientele/OpenAiClient"
import type * as Quota from "clientele/Quota"
import { question, type Size, sized } from "./question.ts"

export interface Target {
  readonly baseURLs: ReadonlyArray<string>
  /** API keys for each base URL. */
  readonly keys: number
  readonly ca: string
  /** Sockets to each origin. @default that of the package */
  readonly maxConnections?: number | undefined
  /** @default no limits */
  readonly quota?: Quota.Options | undefined
}

/** Redis in which processes share a budget. */
export interface Redis {
  readonly url: string
  readonly prefix: string
}

/** The client layer, with budgets in Redis if there is one: only then is that loaded. */
export const clients = async (redis: Redis | undefined): Promise<Layer.Layer<ClientMap, OptionsError>> => {
  if (redis === undefined) return ClientLayer.layer()
  const QuotaRedis = await import("clientele/QuotaRedis")
  return Layer.provide(ClientLayer.layer(), QuotaRedis.layer(redis))
}

type Config = ClientConfig.ClientConfig<"openai">

/** A config for each key of each base URL. */
export const configs = ({
  baseURLs,
  ca,
  keys,
  maxConnections,
  quota
}: Target): Effect.Effect<ReadonlyArray<Config>, OptionsError> =>
  Effect.forEach(baseURLs, (baseURL) =>
    Effect.forEach(Array.from({ length: keys }), (_, key) =>
      OpenAiClient.config({
        baseURL,
        apiKey: Redacted.make(`sk-bench-${key}`),
        transport: { ca, maxConnections },
        quota
      })
    )
  ).pipe(Effect.map((all) => all.flat()))

const agent = (config: Config, i: number): Effect.Effect<string, ClientError, ClientMap> =>
  Effect.map(
    OpenAiClient.use(config, (openai) => openai.chat.completions.create(question(i))),
    (completion) => completion.choices[0]?.message.content ?? ""
  )

const range = (length: number): ReadonlyArray<number> => Array.from({ length }, (_, i) => i)

/** `size` agents, `atOnce` of them at a time, which take turns with the configs; fails with the first of them. */
export const crowd = (
  all: ReadonlyArray<Config>,
  size: number,
  atOnce: number
): Effect.Effect<void, ClientError, ClientMap> =>
  Effect.forEach(range(size), (i) => agent(all[i % all.length]!, i), { concurrency: atOnce, discard: true })

/** `size` agents at once, and nobody's failure is anybody else's. How many failed, and the first message. */
export const census = (
  all: ReadonlyArray<Config>,
  size: number
): Effect.Effect<{ readonly failed: number; readonly first: string | undefined }, never, ClientMap> =>
  Effect.suspend(() => {
    let failed = 0
    let first: string | undefined
    const note = (error: ClientError) =>
      Effect.sync(() => {
        failed++
        first ??= error.message
      })
    return Effect.map(
      Effect.forEach(range(size), (i) => Effect.catchAll(agent(all[i % all.length]!, i), note), {
        concurrency: "unbounded",
        discard: true
      }),
      () => ({ failed, first })
    )
  })

/** Outcomes of agents that ask until they are stopped. */
export interface Tally {
  answered: number
  /** Sum of the answers' `usage.total_tokens`. */
  tokens: number
  failed: number
  /** The message of the first failure. */
  first?: string
}

/** `size` agents that ask on and on, whatever becomes of each question, for so many milliseconds. */
export const restless = (
  config: Config,
  size: number,
  question: Size,
  ms: number
): Effect.Effect<Tally, never, ClientMap> =>
  Effect.suspend(() => {
    const tally: Tally = { answered: 0, tokens: 0, failed: 0 }
    let next = 0
    const ask = Effect.suspend(() => {
      const i = next++
      return OpenAiClient.use(config, (openai) => openai.chat.completions.create(sized(i, question)))
    })
    const once = Effect.match(ask, {
      onSuccess: ({ usage }) => {
        tally.answered++
        tally.tokens += usage?.total_tokens ?? 0
      },
      onFailure: ({ message }) => {
        tally.failed++
        tally.first ??= message
      }
    })
    const all = Effect.forEach(range(size), () => Effect.forever(once), { concurrency: "unbounded", discard: true })
    return Effect.as(Effect.raceFirst(all, Effect.sleep(ms)), tally)
  })
