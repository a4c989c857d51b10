/** The doors of the package, each as the contract asks of it. Plain code that any runtime can run. */
import * as ClientLayer from "clientele/ClientLayer"
import { ClientMap } from "clientele/ClientMap"
import * as OpenAiClient from "clientele/OpenAiClient"
import { makeClients } from "clientele/Promise"
import { getCerebrasClient } from "clientele/promise/cerebras"
import { getGroqClient } from "clientele/promise/groq"
import { getAzureOpenAIClient, getOpenAIClient } from "clientele/promise/openai"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

export interface Settings {
  readonly maxRetries?: number
  readonly maxConcurrency?: number
  readonly maxConnections?: number
  readonly maxConnectionAge?: number
  readonly queueTimeout?: number
  readonly ca?: string
}

interface Question {
  readonly model?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

interface Counts {
  readonly sockets: number
  readonly clients: ReadonlyArray<{ readonly inFlight: number; readonly leases: number; readonly queued: number }>
}

/** A door opened with a set of clients of its own. */
export interface Opened {
  readonly chat: (question?: Question) => Promise<string>
  /** The answer's words, as they come. */
  readonly stream: (question?: Question) => AsyncIterable<string>
  readonly stats: () => Promise<Counts>
  readonly close: () => Promise<void>
}

export interface Subject {
  readonly name: string
  readonly open: (origin: string, settings?: Settings) => Opened
}

const apiKey = "sk-contract"
const messages = [{ role: "user" as const, content: "Tell me of stones." }]

const transportOf = ({ ca, maxConnectionAge, maxConnections }: Settings) => ({
  ...(ca === undefined ? {} : { ca }),
  ...(maxConnectionAge === undefined ? {} : { maxConnectionAge }),
  ...(maxConnections === undefined ? {} : { maxConnections })
})

const optionsOf = (settings: Settings) => ({
  maxRetries: settings.maxRetries ?? 0,
  ...(settings.queueTimeout === undefined ? {} : { queueTimeout: settings.queueTimeout }),
  quota: settings.maxConcurrency === undefined ? {} : { maxConcurrency: settings.maxConcurrency },
  transport: transportOf(settings)
})

interface Chunk {
  readonly choices: ReadonlyArray<{ readonly delta?: { readonly content?: string | null } }>
}

const wordOf = (chunk: unknown): string => (chunk as Chunk).choices[0]?.delta?.content ?? ""

const textOf = (answer: unknown): string =>
  (answer as { choices: ReadonlyArray<{ message: { content: string } }> }).choices[0]!.message.content

/** Common interface of the SDKs' clients. */
interface Client {
  readonly chat: { readonly completions: { create(body: object, options: object): PromiseLike<unknown> } }
}

type Clients = ReturnType<typeof makeClients>

const getter = (name: string, get: (origin: string, options: object, clients: Clients) => Client): Subject => ({
  name,
  open: (origin, settings = {}) => {
    const clients = makeClients({ drainTimeout: 5_000 })
    const client = get(origin, optionsOf(settings), clients)
    const ask = (stream: boolean, { headers, model = "m", signal }: Question) =>
      client.chat.completions.create({ model, messages, stream }, { headers, signal })
    return {
      chat: async (question = {}) => textOf(await ask(false, question)),
      stream: async function* (question = {}) {
        for await (const chunk of (await ask(true, question)) as AsyncIterable<unknown>) yield wordOf(chunk)
      },
      stats: clients.stats,
      close: clients.close
    }
  }
})

async function* eventsOf(response: Response): AsyncGenerator<unknown> {
  let rest = ""
  for await (const text of response.body!.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6))
    }
  }
}

/** `fetch` as a library would call it, besides a chat. */
export const openFetch = (origin: string, settings: Settings = {}) => {
  const clients = makeClients({ drainTimeout: 5_000 })
  const fetch = clients.getFetch({ apiKey, baseURL: `${origin}/v1`, ...optionsOf(settings) })
  return { clients, fetch }
}

const fetched: Subject = {
  name: "getFetch",
  open: (origin, settings = {}) => {
    const { clients, fetch } = openFetch(origin, settings)
    const ask = async (stream: boolean, { headers, model = "m", signal }: Question): Promise<Response> => {
      const response = await fetch(`${origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
        body: JSON.stringify({ model, messages, stream }),
        signal: signal ?? null
      })
      if (!response.ok) throw new Error(`status ${response.status}`)
      return response
    }
    return {
      chat: async (question = {}) => textOf(await (await ask(false, question)).json()),
      stream: async function* (question = {}) {
        for await (const event of eventsOf(await ask(true, question))) yield wordOf(event)
      },
      stats: clients.stats,
      close: clients.close
    }
  }
}

const effect: Subject = {
  name: "OpenAiClient",
  open: (origin, settings = {}) => {
    const runtime = ManagedRuntime.make(ClientLayer.layer({ drainTimeout: 5_000 }))
    const options = { apiKey: Redacted.make(apiKey), baseURL: `${origin}/v1`, ...optionsOf(settings) }
    const run = async <A, E>(program: Effect.Effect<A, E, ClientMap>, signal?: AbortSignal): Promise<A> => {
      const result = await runtime.runPromise(Effect.either(program), signal === undefined ? {} : { signal })
      return Either.getOrThrowWith(result, (error) => error)
    }
    return {
      chat: ({ headers, model = "m", signal } = {}) =>
        run(
          OpenAiClient.use(options, (openai) =>
            openai.chat.completions.create({ model, messages }, { headers: { ...headers } })
          ).pipe(Effect.map(textOf)),
          signal
        ),
      stream: async function* ({ headers, model = "m", signal } = {}) {
        const words = OpenAiClient.stream(options, (openai) =>
          openai.chat.completions.create(
            { model, messages, stream: true },
            { headers: { ...headers }, signal: signal ?? null }
          )
        ).pipe(Stream.map(wordOf))
        yield* await run(Effect.map(Effect.runtime<ClientMap>(), (own) => Stream.toAsyncIterableRuntime(words, own)))
      } as Opened["stream"],
      stats: () => run(Effect.flatMap(ClientMap, ({ stats }) => stats)),
      close: () => runtime.dispose()
    }
  }
}

export const subjects: ReadonlyArray<Subject> = [
  getter("openai", (origin, options, clients) =>
    getOpenAIClient({ apiKey, baseURL: `${origin}/v1`, ...options }, clients)
  ),
  getter("azure", (origin, options, clients) =>
    getAzureOpenAIClient({ apiKey, endpoint: origin, apiVersion: "2024-10-21", ...options }, clients)
  ),
  getter("groq", (origin, options, clients) => getGroqClient({ apiKey, baseURL: origin, ...options }, clients)),
  getter("cerebras", (origin, options, clients) => getCerebrasClient({ apiKey, baseURL: origin, ...options }, clients)),
  fetched,
  effect
]
