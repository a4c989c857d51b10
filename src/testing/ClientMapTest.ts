/**
 * A `ClientMap` for tests, without a network: leases, quotas, retries, models and the SDKs' own clients are the real ones,
 * and requests are answered in memory instead of over sockets. Answers are determined by the prompt as those of
 * `testing/Sandbox` are, unless a script sets others; faults, rate limits and accepted keys are the sandbox's.
 *
 * Under a `TestClock` retries, timeouts and quotas go by that clock.
 *
 * @example
 * ```ts
 * import * as ClientMapTest from "clientele/testing/ClientMapTest"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const agent = GroqClient.use({ apiKey: Redacted.make("any") }, (groq) =>
 *   groq.chat.completions.create({ model: "m", messages: [{ role: "user", content: "2 + 2?" }] })
 * )
 *
 * export const test = Effect.gen(function* () {
 *   const answer = yield* agent
 *   const { requests } = yield* ClientMapTest.ClientMapTest
 *   return [answer.choices[0]?.message.content, requests.length]
 * }).pipe(Effect.provide(ClientMapTest.layer({ script: () => ClientMapTest.text("4") })))
 * ```
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ClientLayer from "../ClientLayer.ts"
import type { ClientMap } from "../ClientMap.ts"
import { assemble, type EngineOptions } from "../internal/sandbox/assemble.ts"
import type { Faults, ProviderName, Stats } from "../internal/sandbox/model.ts"
import * as MemoryPool from "../internal/testing/memoryPool.ts"
import { scripted } from "../internal/testing/script.ts"
import { TransportMaker } from "../internal/client/transportFactory.ts"
import { makeFetch } from "../internal/http/makeFetch.ts"

/**
 * A request as it would have gone out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** Counts from 0. */
  readonly index: number
  readonly provider: ProviderName
  readonly method: string
  readonly path: string
  /** Key that the test configured, which should not be a real one. */
  readonly apiKey: string
  readonly model: string | undefined
  readonly isStream: boolean
  /** Parsed, if it is JSON; else its text. */
  readonly body: unknown
}

/**
 * A scripted answer: a response, the events of a stream, or a connection that fails.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer =
  | {
      /** @default 200 */
      readonly status?: number | undefined
      readonly headers?: Readonly<Record<string, string>> | undefined
      /** Sent as JSON, or as it is if it is text. */
      readonly body: unknown
    }
  | { readonly events: ReadonlyArray<unknown> }
  | { readonly fails: true }

/**
 * Options of the test layer: scripted answers, the sandbox's model behind them, and the client layer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends EngineOptions {
  /** Asked first. `undefined` leaves the answer to the sandbox's own model. @default that model answers all */
  readonly script?: ((request: Request) => Answer | undefined | PromiseLike<Answer | undefined>) | undefined
  /** Options of the client layer. @default its own defaults */
  readonly clients?: ClientLayer.Options | undefined
}

/**
 * Requests, faults and statistics for a test to check.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** All that came, in its order, retries included. */
  readonly requests: ReadonlyArray<Request>
  readonly faults: Faults
  readonly stats: () => Stats
}

/**
 * The service tag; `layer` provides it.
 *
 * @since 0.1.0
 * @category tags
 */
export class ClientMapTest extends Context.Tag("clientele/testing/ClientMapTest")<ClientMapTest, Service>() {}

/**
 * The client map, and what a test looks at.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<ClientMap | ClientMapTest> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const { counters, engine, faults } = assemble(options)
      const connection = counters.connect(false)
      const requests: Array<Request> = []
      const handle = scripted(options.script ?? (() => undefined), (exchange) => engine.handle(exchange), requests)
      const maker = Layer.succeed(TransportMaker, (key, { ticker }) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.sync(() => MemoryPool.make(handle, connection, ticker, key)),
            (pool) => Effect.promise(() => pool.close(0))
          ),
          (pool) => ({ origin: key.origin, fetch: makeFetch(() => pool), stats: pool.stats, pool })
        )
      )
      const service = { requests, faults, stats: () => counters.stats() }
      return Layer.merge(
        Layer.provide(ClientLayer.layer(options.clients), maker),
        Layer.succeed(ClientMapTest, service)
      )
    })
  )

/**
 * An answer of `chat.completions` with this text.
 *
 * @since 0.1.0
 * @category answers
 */
export const text = (content: string): Answer => chat({ role: "assistant", content }, "stop")

/**
 * An answer of `chat.completions` that calls these tools.
 *
 * @since 0.1.0
 * @category answers
 */
export const calls = (...calls: ReadonlyArray<{ readonly name: string; readonly params: unknown }>): Answer =>
  chat(
    {
      role: "assistant",
      content: null,
      tool_calls: calls.map(({ name, params }, i) => ({
        id: `call_${i}`,
        type: "function",
        function: { name, arguments: JSON.stringify(params) }
      }))
    },
    "tool_calls"
  )

/**
 * A refusal of the provider.
 *
 * @since 0.1.0
 * @category answers
 */
export const error = (
  status: number,
  message = "scripted",
  headers: Readonly<Record<string, string>> = {}
): Answer => ({ status, headers, body: { error: { message, type: "scripted", code: null, param: null } } })

/**
 * The connection is reset before an answer.
 *
 * @since 0.1.0
 * @category answers
 */
export const fails: Answer = { fails: true }

const chat = (message: object, finish_reason: string): Answer => ({
  body: {
    id: "chatcmpl-scripted",
    object: "chat.completion",
    created: 0,
    model: "scripted",
    choices: [{ index: 0, message, finish_reason }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  }
})
