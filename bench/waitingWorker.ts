/** A process in which agents wait, all started in one turn, and are then interrupted, all at once. Needs --expose-gc. */
import { setImmediate, setTimeout } from "node:timers/promises"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "clientele/ClientConfig"
import * as ClientLayer from "clientele/ClientLayer"
import type { ClientMap } from "clientele/ClientMap"
import * as OpenAiApi from "clientele/OpenAiApi"
import * as OpenAiClient from "clientele/OpenAiClient"
import * as OpenAiModel from "clientele/OpenAiModel"
import { closeAll, getOpenAIApi, type OpenAIApi } from "clientele/Promise"
import { configs, type Target } from "./agents.ts"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  /**
   * Agents by each way to a client that stands, `cold` before it does; or as many fibers, streams, or calls of a model of
   * @effect/ai alone, that wait for a Deferred, or promises or loops over an iterable that a signal rejects.
   */
  readonly variant:
    | "use"
    | "use, cold"
    | "stream"
    | "direct"
    | "directStream"
    | "model"
    | "directPromise"
    | "directPromise, cold"
    | "directPromiseStream"
    | "fibers"
    | "streams"
    | "models"
    | "promises"
    | "loops"
  /** Its server never answers. */
  readonly target: Target
  readonly agents: number
}

export interface Outcome {
  /** Bytes of heap for each, garbage collected. */
  readonly heap: number
  /** Milliseconds until the event loop turns again after all have been started, and after all have been interrupted. */
  readonly blocked: number
  readonly interrupted: number
}

/** An agent that has been started. */
interface Running {
  readonly interrupt: () => void
  readonly ended: () => Promise<unknown>
}

const { agents, target, variant } = input<Work>()

const weigh = async (): Promise<number> => {
  for (let i = 0; i < 2; i++) {
    await setTimeout(100)
    globalThis.gc?.()
  }
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

/** Milliseconds of work, its microtasks included. */
const timed = async (work: () => void): Promise<number> => {
  const from = performance.now()
  work()
  await setImmediate()
  return performance.now() - from
}

const measured = async (start: (i: number) => Running): Promise<Outcome> => {
  const before = await weigh()
  const all: Array<Running> = []
  const blocked = await timed(() => {
    for (let i = 0; i < agents; i++) all.push(start(i))
  })
  await setTimeout(2_000)
  const heap = ((await weigh()) - before) / agents
  const interrupted = await timed(() => {
    for (const one of all) one.interrupt()
  })
  for (const one of all) await one.ended()
  return { heap, blocked, interrupted }
}

type Services = ClientMap | LanguageModel.LanguageModel
type Ask = (i: number) => Effect.Effect<unknown, unknown, Services>
type Config = ClientConfig<"openai">

const never = Deferred.await(Effect.runSync(Deferred.make<never>()))

/** A model that @effect/ai makes of functions that wait. */
const idle = Effect.runSync(
  LanguageModel.make({ generateText: () => never, streamText: () => Stream.fromEffect(never) })
)

const prompt = (i: number): string => question(i).messages[0]!.content

const ways = {
  use: (config) => (i) => OpenAiClient.use(config, (openai) => openai.chat.completions.create(question(i))),
  stream: (config) => (i) => {
    const asked = { ...question(i), stream: true } as const
    return Stream.runDrain(OpenAiClient.stream(config, (openai) => openai.chat.completions.create(asked)))
  },
  direct: (config) => (i) => OpenAiApi.chat(config, question(i)),
  directStream: (config) => (i) => Stream.runDrain(OpenAiApi.chatStream(config, question(i))),
  model: () => (i) => LanguageModel.generateText({ prompt: prompt(i) }),
  fibers: () => () => never,
  streams: () => () => Stream.runDrain(Stream.fromEffect(never)),
  models: () => (i) => idle.generateText({ prompt: prompt(i) })
} satisfies Readonly<Record<string, (config: Config) => Ask>>

const withEffect = async (variant: keyof typeof ways | "use, cold"): Promise<Outcome> => {
  const [config] = await Effect.runPromise(configs(target))
  if (config === undefined) throw new Error("no config")
  const model = OpenAiModel.model(question(0).model, { client: config })
  const layer = Layer.provideMerge(model, ClientLayer.layer({ drainTimeout: 200 }))
  const measuring = Effect.gen(function* () {
    if (variant !== "use, cold") yield* OpenAiClient.use(config, () => Promise.resolve())
    const runtime = yield* Effect.runtime<Services>()
    const ask: Ask = ways[variant === "use, cold" ? "use" : variant](config)
    return yield* Effect.promise(() =>
      measured((i) => {
        const fiber = Runtime.runFork(runtime)(ask(i))
        return {
          interrupt: () => fiber.unsafeInterruptAsFork(fiber.id()),
          ended: () => Effect.runPromise(Fiber.await(fiber))
        }
      })
    )
  })
  return Effect.runPromise(Effect.provide(measuring, layer))
}

type Promised = (i: number, signal: AbortSignal) => Promise<unknown>

const aborted = <A>(signal: AbortSignal): Promise<A> =>
  new Promise((_, reject) => signal.addEventListener("abort", reject, { once: true }))

const promised = {
  directPromise:
    ({ chat }) =>
    (i, signal) =>
      chat(question(i), { signal }),
  directPromiseStream:
    ({ chatStream }) =>
    async (i, signal) => {
      for await (const _ of chatStream({ ...question(i), stream: true }, { signal })) continue
    },
  promises: () => (_, signal) => aborted(signal),
  loops: () => async (_, signal) => {
    for await (const _ of { [Symbol.asyncIterator]: () => ({ next: () => aborted<IteratorResult<unknown>>(signal) }) })
      continue
  }
} satisfies Readonly<Record<string, (api: OpenAIApi) => Promised>>

const withoutEffect = async (variant: keyof typeof promised | "directPromise, cold"): Promise<Outcome> => {
  const { baseURLs, ca, maxConnections } = target
  const options = { baseURL: baseURLs[0]!, apiKey: "sk-bench-0", transport: { ca, maxConnections } }
  const api = getOpenAIApi(options)
  if (variant !== "directPromise, cold") {
    const controller = new AbortController()
    const first = api.chat(question(0), { signal: controller.signal }).catch(() => undefined)
    await setTimeout(100)
    controller.abort()
    await first
  }
  const call: Promised = promised[variant === "directPromise, cold" ? "directPromise" : variant](api)
  const outcome = await measured((i) => {
    const controller = new AbortController()
    const ended = call(i, controller.signal).catch(() => undefined)
    return { interrupt: () => controller.abort(), ended: () => ended }
  })
  await closeAll()
  return outcome
}

const isPromised = (name: Work["variant"]): name is keyof typeof promised | "directPromise, cold" =>
  name in promised || name === "directPromise, cold"

report(await (isPromised(variant) ? withoutEffect(variant) : withEffect(variant)))
