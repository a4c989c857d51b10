/**
 * Agents in a process of their own: `agents.ts BASE_URL COUNT DRAIN_TIMEOUT`. Says `ready` when they are started and `done N` when
 * all have been answered.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import * as GroqClient from "../../../src/GroqClient.ts"

const [baseURL = "", count = "1", drainTimeout = ""] = process.argv.slice(2)

const options = { apiKey: Redacted.make("sk-child"), baseURL, transport: { maxConnections: 500 } }

const agent = GroqClient.use(options, (groq) =>
  groq.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }] })
)

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const agents = Effect.zipRight(
  say("ready"),
  Effect.forEach(
    Array.from({ length: Number(count) }, () => agent),
    (one) => one,
    { concurrency: "unbounded" }
  )
).pipe(Effect.flatMap((answers) => say(`done ${answers.length}`)))

NodeRuntime.runMain(Effect.provide(agents, ClientLayer.layer({ drainTimeout: Number(drainTimeout) })))
