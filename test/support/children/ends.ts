/**
 * A script that does one thing by one of the doors, and then has nothing else to do: `ends.ts DOOR WHAT BASE_URL
 * DRAIN_TIMEOUT`, and the server's authority in SANDBOX_CA. It says what it has done, a line each.
 */
import type OpenAI from "openai"
import { once } from "node:events"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import { makeClients } from "../../../src/Promise.ts"
import { getOpenAIClient } from "../../../src/promise/openai.ts"

const [door = "", what = "", baseURL = "", drainTimeout = "30000"] = process.argv.slice(2)
const transport = { ca: process.env["SANDBOX_CA"] }
const apiKey = "sk-child"
const quota = { requestsPerMinute: 300, burst: 1 }

const say = (line: string): void => void process.stdout.write(`${line}\n`)

type Headers = Readonly<Record<string, string>>

const question = (content = "hi") => ({ model: "m", messages: [{ role: "user" as const, content }] })

const ask = (client: OpenAI, headers: Headers = {}) => client.chat.completions.create(question(), { headers })

const stream = (client: OpenAI, headers: Headers) =>
  client.chat.completions.create({ ...question(), stream: true }, { headers })

const endless = { "x-sandbox-fault": "stall=body" }

/** Nothing may be collected. */
const kept: Array<unknown> = []
process.on("exit", () => void kept.length)

const scripts: Record<string, (client: OpenAI) => Promise<void>> = {
  done: async (client) => {
    for await (const _ of await stream(client, { "x-sandbox-time-per-token": "20" }));
    say("read")
    await ask(client, { "x-sandbox-fault": "status=500" }).catch(() => say("refused"))
    await Promise.all([ask(client), ask(client)])
    say("answered")
    const begun = (await stream(client, endless))[Symbol.asyncIterator]()
    await begun.next()
    const large = client.chat.completions.create(question("hi ".repeat(400_000))).asResponse()
    kept.push(begun, await stream(client, endless), await large)
    process.exitCode = 3
  },
  flying: async (client) => {
    void ask(client, { "x-sandbox-latency": "4000" }).then(() => say("answered"))
    // Listening for a signal keeps nothing alive.
    await once(process, "SIGUSR2")
  },
  fails: async (client) => {
    await ask(client)
    say("answered")
    throw new Error("of the script")
  }
}

const run = async (client: OpenAI): Promise<void> => {
  await scripts[what]!(client)
  say("done")
}

const program = OpenAiClient.use({ apiKey: Redacted.make(apiKey), baseURL, transport, quota }, run)
const layer = ClientLayer.layer({ drainTimeout: Number(drainTimeout) })

const doors: Record<string, () => unknown> = {
  promise: () =>
    run(getOpenAIClient({ apiKey, baseURL, transport, quota }, makeClients({ drainTimeout: Number(drainTimeout) }))),
  runMain: () => NodeRuntime.runMain(Effect.provide(program, layer)),
  managed: () => ManagedRuntime.make(layer).runPromise(program)
}

void doors[door]!()
