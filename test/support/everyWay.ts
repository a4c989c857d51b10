/** Every way to a chat of each provider, for tests that hold for all: with and without Effect, with and without an SDK. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import { fromThrown } from "../../src/internal/request/errors/fromSdk.ts"
import * as Promised from "../../src/Promise.ts"
import { causeOf } from "../ai/lines.ts"
import { subjects as models } from "../ai/models.ts"
import { body, providers, type Doors } from "../direct/doors.ts"
import { type Client, subjects as getters } from "../promise/doors.ts"

/** The end of a call. */
export type Outcome =
  | { readonly type: "ended" }
  | { readonly type: "aborted" }
  | { readonly type: "failed"; readonly error: ClientError }

/** Options that all ways have in common. */
export type WayOptions = Pick<CommonOptions, "maxRetries" | "transport" | "bodyTimeout">

/** Receives a piece of text, and returns false if it has enough. */
export type Each = (text: string) => boolean | void

export interface Way {
  readonly name: string
  readonly provider: Doors["name"]
  /** True if its streams and its errors are the SDK's own. */
  readonly isSdkObject: boolean
  /** True if its SDK gives an event when the next has come, and drops one that a failure follows: Cerebras's. */
  readonly holdsBack: boolean
  /** Reads the whole answer of one piece. */
  readonly ask: (origin: string, options: WayOptions, each: Each) => Promise<Outcome>
  readonly stream: (origin: string, options: WayOptions, each: Each, signal?: AbortSignal) => Promise<Outcome>
}

/** One client map for all ways. */
export const runtime = ManagedRuntime.make(ClientLayer.layer())
const clients = Promised.makeClients({ runtime })

/** Leases, requests and waiters. */
export const left = (): Promise<number> =>
  runtime.runPromise(
    Effect.map(ClientMap.stats, ({ clients }) =>
      clients.reduce((sum, one) => sum + one.leases + one.inFlight + one.queued, 0)
    )
  )

interface Piece {
  readonly choices?: ReadonlyArray<{
    readonly delta?: { readonly content?: string | null }
    readonly message?: { readonly content?: string | null }
  }>
}

const textOf = (piece: unknown): string => {
  const choice = (piece as Piece).choices?.[0]
  return choice?.delta?.content ?? choice?.message?.content ?? ""
}

/** Texts go to `each` unless they are empty. */
const given = (each: Each, text: string): boolean => text === "" || each(text) !== false

/** An error of a model has ours behind it. */
const errorOf = (error: unknown): ClientError => {
  const { method, module } = error as { readonly method?: unknown; readonly module?: unknown }
  return (method === undefined || module === undefined ? error : causeOf(error as Error)) as ClientError
}

const run = async (
  effect: Effect.Effect<unknown, unknown, ClientMap.ClientMap>,
  signal?: AbortSignal
): Promise<Outcome> => {
  const exit = await runtime.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return { type: "ended" }
  if (Cause.isInterrupted(exit.cause)) return { type: "aborted" }
  return { type: "failed", error: errorOf(Cause.squash(exit.cause)) }
}

const attempt = async (provider: Doors["name"], f: () => Promise<void>, signal?: AbortSignal): Promise<Outcome> => {
  try {
    await f()
    // An SDK's stream just ends.
    return { type: signal?.aborted === true ? "aborted" : "ended" }
  } catch (error) {
    if (signal?.aborted === true) return { type: "aborted" }
    return { type: "failed", error: fromThrown({ provider, baseURL: "" }, error) }
  }
}

const readAll = async (pieces: AsyncIterable<unknown>, each: Each): Promise<void> => {
  for await (const piece of pieces) if (!given(each, textOf(piece))) return
}

/** An interruption comes in a turn of its own: a consumer that causes one waits for it. */
const giving = (each: Each, text: string, signal: AbortSignal | undefined): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const goesOn = given(each, text)
    return signal?.aborted === true ? Effect.never : Effect.succeed(goesOn)
  })

const placed = (origin: string) => ({ baseURL: () => origin, ca: "" })

const withEffect = (name: string, door: "sdk" | "direct", two: Doors): Way => {
  const config = (origin: string, options: WayOptions) =>
    two.subject.config(placed(origin), { ...options, transport: { ...options.transport, ca: undefined } })
  const { chat, chatStream } = two[door]
  return {
    name,
    provider: two.name,
    isSdkObject: false,
    holdsBack: door === "sdk" && two.name === "cerebras",
    ask: (origin, options, each) =>
      run(
        Effect.flatMap(config(origin, options), (config) =>
          Effect.map(chat(config, body()), (answer) => given(each, textOf(answer)))
        )
      ),
    stream: (origin, options, each, signal) =>
      run(
        Effect.flatMap(config(origin, options), (config) =>
          Stream.runForEachWhile(chatStream(config, body()), (piece) => giving(each, textOf(piece), signal))
        ),
        signal
      )
  }
}

const throughGetter = ({ name: provider }: Doors): Way => {
  const { get } = getters.find(({ name }) => name === provider)!
  const client = (origin: string, options: WayOptions): Client => get(origin, options as never, clients)
  return {
    name: "a getter",
    provider,
    isSdkObject: true,
    holdsBack: provider === "cerebras",
    ask: (origin, options, each) =>
      attempt(provider, async () => {
        given(each, textOf(await client(origin, options).chat.completions.create(body() as never)))
      }),
    stream: (origin, options, each, signal) =>
      attempt(
        provider,
        async () => {
          const asked = { ...body(), stream: true } as never
          await readAll(
            (await client(origin, options).chat.completions.create(asked, signal && { signal })) as never,
            each
          )
        },
        signal
      )
  }
}

const apis = {
  openai: Promised.getOpenAIApi,
  azure: Promised.getAzureOpenAIApi,
  groq: Promised.getGroqApi,
  cerebras: Promised.getCerebrasApi
}

const directly = ({ name: provider }: Doors): Way => {
  const api = (origin: string, options: WayOptions) => {
    const place = provider === "azure" ? { endpoint: origin, apiVersion: "2024-10-21" } : { baseURL: origin }
    return apis[provider]({ apiKey: "sk-1", ...place, ...options } as never, clients) as Promised.OpenAIApi
  }
  return {
    name: "the direct door without Effect",
    provider,
    isSdkObject: false,
    holdsBack: false,
    ask: (origin, options, each) =>
      attempt(provider, async () => {
        given(each, textOf(await api(origin, options).chat(body() as never)))
      }),
    stream: (origin, options, each, signal) =>
      attempt(
        provider,
        () => readAll(api(origin, options).chatStream(body() as never, signal && { signal }), each),
        signal
      )
  }
}

const ofModel = ({ name: provider }: Doors): Way => {
  const { at } = models.find(({ name }) => name === provider)!
  return {
    name: "a model",
    provider,
    isSdkObject: false,
    holdsBack: false,
    ask: (origin, options, each) =>
      run(
        Effect.provide(
          Effect.map(LanguageModel.generateText({ prompt: "hello" }), ({ text }) => given(each, text)),
          at(origin, { client: options })
        )
      ),
    stream: (origin, options, each, signal) =>
      run(
        Effect.provide(
          Stream.runForEachWhile(LanguageModel.streamText({ prompt: "hello" }), (part) =>
            giving(each, part.type === "text-delta" ? part.delta : "", signal)
          ),
          at(origin, { client: options })
        ),
        signal
      )
  }
}

export const ways: ReadonlyArray<Way> = providers.flatMap((two) => [
  withEffect("the SDK's client", "sdk", two),
  throughGetter(two),
  withEffect("the direct door", "direct", two),
  directly(two),
  ofModel(two)
])
