/** The getters of all SDKs, openai 6 as well, for tests that hold for each of them. */
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { Groq } from "groq-sdk"
import * as http from "node:http"
import { AzureOpenAI, OpenAI } from "openai"
import { OpenAI as OpenAI6 } from "openai6"
import type { TransportOptions } from "../../src/internal/transport/transportOptions.ts"
import { getterOf } from "../../src/internal/promise/getters/openai.ts"
import type { Classes } from "../../src/internal/promise/errors.ts"
import type { OpenAIOptions } from "../../src/internal/promise/options/openai.ts"
import type { Clients } from "../../src/Promise.ts"
import { getCerebrasClient } from "../../src/promise/cerebras.ts"
import { getGroqClient } from "../../src/promise/groq.ts"
import { getAzureOpenAIClient, getOpenAIClient } from "../../src/promise/openai.ts"

export const getOpenAI6Client: (options?: OpenAIOptions, clients?: Clients) => OpenAI6 = getterOf(() => OpenAI6)

export interface RequestOptions {
  readonly timeout?: number
  readonly maxRetries?: number
  readonly signal?: AbortSignal
  readonly headers?: Record<string, string | null>
  readonly query?: Record<string, unknown>
  readonly idempotencyKey?: string
  readonly fetchOptions?: object
  readonly httpAgent?: http.Agent
}

interface Question {
  model: string
  messages: Array<{ role: "user"; content: string }>
}

interface Sent extends PromiseLike<unknown> {
  asResponse(): Promise<{ readonly status: number; readonly headers: { get(name: string): string | null } }>
  withResponse(): Promise<{ readonly data: unknown; readonly response: { readonly status: number } }>
  _thenUnwrap<A>(transform: (answer: unknown) => A): PromiseLike<A>
}

/** Common interface of the SDKs' clients. Methods, so that TypeScript compares their parameters both ways. */
export interface Client {
  apiKey: string | null
  baseURL: string
  timeout: number
  maxRetries: number
  withOptions?(options: object): Client
  chat: {
    completions: {
      create(body: Question & { stream?: false }, options?: RequestOptions): Sent
      create(body: Question & { stream: true }, options?: RequestOptions): PromiseLike<AsyncIterable<unknown>>
    }
  }
}

export interface Options {
  readonly apiKey?: string
  readonly timeout?: number
  readonly bodyTimeout?: number
  readonly deadline?: number
  readonly maxRetries?: number
  readonly queueTimeout?: number
  readonly maxRetryAfter?: number
  readonly defaultHeaders?: Record<string, string>
  readonly defaultQuery?: Record<string, string>
  readonly quota?: { readonly maxConcurrency?: number; readonly maxWaiters?: number }
  readonly transport?: TransportOptions
}

interface Errors extends Classes {
  readonly RateLimitError: abstract new (...args: ReadonlyArray<never>) => Error
  readonly AuthenticationError: abstract new (...args: ReadonlyArray<never>) => Error
}

export interface Subject {
  readonly name: string
  readonly sdk: { new (options: never): Client } & Errors
  readonly get: (origin: string, options?: Options, clients?: Clients) => Client
  /** The SDK's own, with nothing of ours. */
  readonly bare: (
    origin: string,
    options?: Omit<Options, "bodyTimeout" | "deadline" | "quota" | "queueTimeout" | "maxRetryAfter" | "transport">
  ) => Client
}

const apiKey = "sk-0123456789"

const v1 = (origin: string) => ({ apiKey, baseURL: `${origin}/v1` })
const at = (origin: string) => ({ apiKey, baseURL: origin })
const azure = (origin: string) => ({ apiKey, endpoint: origin, apiVersion: "2024-10-21" })

export const subjects: ReadonlyArray<Subject> = [
  {
    name: "openai",
    sdk: OpenAI,
    get: (origin, options, clients) => getOpenAIClient({ ...v1(origin), ...options }, clients),
    bare: (origin, options) => new OpenAI({ ...v1(origin), ...options })
  },
  {
    name: "openai 6",
    sdk: OpenAI6,
    get: (origin, options, clients) => getOpenAI6Client({ ...v1(origin), ...options }, clients),
    bare: (origin, options) => new OpenAI6({ ...v1(origin), ...options })
  },
  {
    name: "azure",
    sdk: AzureOpenAI,
    get: (origin, options, clients) => getAzureOpenAIClient({ ...azure(origin), ...options }, clients),
    bare: (origin, options) => new AzureOpenAI({ ...azure(origin), ...options })
  },
  {
    name: "groq",
    sdk: Groq,
    get: (origin, options, clients) => getGroqClient({ ...at(origin), ...options }, clients),
    bare: (origin, options) => new Groq({ ...at(origin), ...options })
  },
  {
    name: "cerebras",
    sdk: Cerebras,
    get: (origin, options, clients) => getCerebrasClient({ ...at(origin), ...options }, clients),
    bare: (origin, options) => new Cerebras({ ...at(origin), ...options, warmTCPConnection: false })
  }
]

export const hello: Question = { model: "test-model", messages: [{ role: "user", content: "hello" }] }

export const ask = (client: Client, options?: RequestOptions) => client.chat.completions.create(hello, options)

/** A server whose answers are written by hand, and which counts its requests. */
export const serve = async (
  answer: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void
) => {
  let requests = 0
  const server = http.createServer((request, response) => {
    requests++
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => answer(request, response, Buffer.concat(chunks).toString()))
    request.on("error", () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    server,
    origin: `http://127.0.0.1:${port}`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

export const json = (response: http.ServerResponse, status: number, body: unknown, headers = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

/** The error with which a promise rejects; throws if it resolves. */
export const rejection = async (promise: PromiseLike<unknown>): Promise<Record<string, unknown> & Error> => {
  try {
    await promise
  } catch (error) {
    return error as Record<string, unknown> & Error
  }
  throw new Error("it did not reject")
}
