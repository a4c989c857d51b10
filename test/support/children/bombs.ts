/**
 * An agent that is answered by more than it can hold, in a process of its own: `bombs.ts ORIGIN`. For each answer a line of
 * JSON: what came of it, and by how many MB the process had grown at its largest.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ClientError } from "../../../src/ClientError.ts"
import * as ClientLayer from "../../../src/ClientLayer.ts"
import type { ClientMap } from "../../../src/ClientMap.ts"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import { makeClients } from "../../../src/Promise.ts"
import { getOpenAIClient } from "../../../src/promise/openai.ts"

const [origin = ""] = process.argv.slice(2)

const question = (model: string) => ({ model, messages: [{ role: "user" as const, content: "hi" }] })

const peak = (): number => process.resourceUsage().maxRSS / 1024

const say = (what: string, reason: unknown, before: number): void =>
  void process.stdout.write(`${JSON.stringify({ what, reason, grown: Math.round(peak() - before) })}\n`)

await Effect.gen(function* () {
  const common = { apiKey: Redacted.make("sk"), baseURL: `${origin}/v1`, maxRetries: 0 }
  const ask = (model: string, options: object = {}) =>
    Effect.asVoid(
      OpenAiClient.use({ ...common, ...options }, (client) => client.chat.completions.create(question(model)))
    )
  const stream = OpenAiClient.use(common, async (client) => {
    for await (const _ of await client.chat.completions.create({ ...question("events"), stream: true }));
  })
  yield* ask("fine")
  const tight = { transport: { maxResponseBytes: 2 ** 24 } }
  for (const [what, effect] of Object.entries<Effect.Effect<unknown, ClientError, ClientMap>>({
    "gzip, 16 MB at most": ask("gzip", tight),
    "gzip in gzip, 16 MB at most": ask("twice", tight),
    "plain, 16 MB at most": ask("plain", tight),
    events: stream,
    gzip: ask("gzip")
  })) {
    const before = peak()
    const error = yield* Effect.flip(effect)
    say(what, "reason" in error ? error.reason : error, before)
  }
}).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)

await using clients = makeClients()
const client = getOpenAIClient({ apiKey: "sk", baseURL: `${origin}/v1`, maxRetries: 0 }, clients)
const before = peak()
const error: unknown = await client.chat.completions.create(question("gzip")).catch((error: unknown) => error)
say("gzip, by a getter", error instanceof Error && "reason" in error ? error.reason : error, before)
