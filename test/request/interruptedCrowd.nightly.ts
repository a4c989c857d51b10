/** Fifty thousand agents on a provider that does not answer, interrupted all at once. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { question } from "../support/providers.ts"
import { serveHolding } from "../support/holding.ts"
import { eventually } from "../support/wait.ts"

const AGENTS = 50_000

for (const when of ["after", "before"] as const) {
  it.live(
    `${AGENTS} agents interrupted at once, ${when} their client was built, leave nothing behind`,
    () =>
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* OpenAiClient.config({
          apiKey: Redacted.make("sk-test"),
          baseURL: server.baseURL,
          transport: { maxConnections: 8 }
        })
        const call = OpenAiClient.use(config, (openai) => openai.chat.completions.create(question("hi")))
        if (when === "after") yield* OpenAiClient.use(config, () => Promise.resolve())
        const fibers = yield* Effect.replicateEffect(Effect.fork(call), AGENTS)
        yield* eventually(Effect.sync(server.held), (held) => held === 8)
        yield* Effect.forEach(fibers, (fiber) => Fiber.interruptFork(fiber), { discard: true })
        const exits = yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber))
        assert.isTrue(exits.every((exit) => exit._tag === "Failure"))
        yield* eventually(ClientMap.stats, ({ clients: [client] }) => client?.leases === 0 && client.inFlight === 0)
        const { clients } = yield* ClientMap.stats
        assert.deepInclude(clients[0], { leases: 0, inFlight: 0, queued: 0 })
        server.open()
        const { choices } = yield* call
        assert.strictEqual(choices[0]?.message.content, "ok")
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped),
    120_000
  )
}
