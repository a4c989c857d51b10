/** Requests by roads that are not pooled: `roads.ts PROGRAM ORIGIN`, run with `--import clientele/register`. */
import { once } from "node:events"
import { type IncomingMessage, request as nodeRequest } from "node:http"
import { OpenAI } from "openai"
import { request } from "undici"
import { getFetch } from "../../../src/Promise.ts"

const [program = "", origin = ""] = process.argv.slice(2)
const models = `${origin}/v1/models`

const byFetch = async (init?: object): Promise<void> => void (await (await fetch(models, init)).text())

const byUndici = async (): Promise<void> => {
  await (await request(models, { headers: { "User-Agent": "mine/1" } })).body.text()
}

const byNode = async (): Promise<void> => {
  const asked = nodeRequest(models, { headers: { "user-agent": "a/1 b/2 c/3" } }).end()
  const [answer] = (await once(asked, "response")) as [IncomingMessage]
  await once(answer.resume(), "end")
}

interface Dispatcher {
  readonly dispatch: (...args: ReadonlyArray<unknown>) => unknown
}

class Mine extends OpenAI {}

const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  roads: async () => {
    for (const call of [byFetch, byUndici, byNode]) for (let i = 0; i < 2; i++) await call()
  },
  killed: async () => {
    await byFetch()
    setInterval(() => undefined, 1_000)
    process.kill(process.pid, "SIGTERM")
  },
  dispatcher: async () => {
    await byFetch()
    const agent = (globalThis as Record<symbol, unknown>)[Symbol.for("undici.globalDispatcher.1")] as Dispatcher
    await byFetch({ dispatcher: { dispatch: (...args: ReadonlyArray<unknown>) => agent.dispatch(...args) } })
  },
  subclass: async () => {
    await new Mine({ apiKey: "sk-child", baseURL: `${origin}/v1` }).models.list()
    await (await getFetch({ apiKey: "sk-child", baseURL: origin })(models)).text()
  }
}

await programs[program]?.()
