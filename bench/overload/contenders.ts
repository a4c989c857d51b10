/** The three ways to ask that are compared, as an application would write them. */
import type { OpenAI } from "openai"
import type { WorkerWork } from "./protocol.ts"

interface Question {
  readonly row: number
  readonly model: string
  readonly key: string
  readonly isStream: boolean
}

/** Resolves once a row is answered whole. */
export type Ask = (question: Question) => Promise<void>

const PARALLEL = 64

const ask = async (client: OpenAI, { isStream, model, row }: Question): Promise<void> => {
  const body = { model, messages: [{ role: "user" as const, content: `row ${row}` }] }
  const headers = { "x-row": `${row}`, "x-model": model }
  if (!isStream) return void (await client.chat.completions.create(body, { headers }))
  const stream = await client.chat.completions.create(
    { ...body, stream: true },
    { headers: { ...headers, "x-stream": "1" } }
  )
  let chunks = 0
  for await (const _ of stream) chunks++
  if (chunks === 0) throw new Error("an empty stream")
}

const clientele = async ({ baseURL, options, ours }: WorkerWork): Promise<Ask> => {
  const [{ getOpenAIClient }, { makeClients }] = await Promise.all([
    import("clientele/promise/openai"),
    import("clientele/Promise")
  ])
  const { maxConnections, queueTimeout } = ours
  // The bound of the process (512) must not be what is measured either.
  const clients = maxConnections === undefined ? undefined : makeClients({ maxSockets: maxConnections })
  const common = {
    ...options,
    baseURL,
    ...(queueTimeout !== undefined && { queueTimeout }),
    ...(maxConnections !== undefined && { transport: { maxConnections } })
  }
  return (question) => ask(getOpenAIClient({ ...common, apiKey: question.key }, clients), question)
}

const bare = async ({ baseURL, options }: WorkerWork): Promise<Ask> => {
  const { OpenAI } = await import("openai")
  const clients = new Map<string, OpenAI>()
  const clientOf = (apiKey: string): OpenAI => {
    const known = clients.get(apiKey)
    if (known !== undefined) return known
    const client = new OpenAI({ ...options, baseURL, apiKey })
    clients.set(apiKey, client)
    return client
  }
  return (question) => ask(clientOf(question.key), question)
}

const limited = async (work: WorkerWork): Promise<Ask> => {
  const [{ default: pLimit }, one] = await Promise.all([import("p-limit"), bare(work)])
  const limit = pLimit(PARALLEL)
  return (question) => limit(() => one(question))
}

export const contenders = { C: clientele, O: bare, P: limited }
