/** Headers of the connection, and keys to the target of a redirect: sent by no SDK. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { openai6 } from "../support/openai6.ts"
import { type Chat, question, subjects } from "../support/providers.ts"

const key = "sk-CANARY-of-refusals"

const chat = (client: Chat, headers: Readonly<Record<string, string>> = {}): PromiseLike<unknown> =>
  client.chat.completions.create(question("hello"), { headers } as object)

const facts = (error: object) => {
  const { attempts, processed, reason, status } = error as Readonly<Record<string, unknown>>
  return { attempts, processed, reason, status }
}

for (const subject of [...subjects, openai6]) {
  describe(`a request of ${subject.name}`, () => {
    it.live("with a header of the connection is refused by that header's name, and not sent", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { key })
        for (const name of ["Host", "Connection", "Transfer-Encoding", "TE", "Upgrade", "Proxy-Authorization"]) {
          const error = yield* Effect.flip(subject.use(config, (client) => chat(client, { [name]: "sekret" })))
          assert.deepStrictEqual(facts(error), {
            attempts: 0,
            processed: "no",
            reason: "BadRequest",
            status: undefined
          })
          assert.include(error.message, `"${name.toLowerCase()}"`)
          assert.notInclude(error.message, "sekret")
        }
        assert.strictEqual(sandbox.stats().connections.total, 0)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live("whose header would forge another is refused, and not sent", () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make()
        const config = yield* subject.config(sandbox, { key })
        for (const value of ["a\r\nx-forged: 1", "a\nb", "a\rb", "a\0b"]) {
          const error = yield* Effect.flip(subject.use(config, (client) => chat(client, { "x-odd": value })))
          // Most SDKs look at headers themselves, before they call any fetch.
          const refused = error._tag === "RequestError" ? error.reason : error._tag
          assert.strictEqual(refused, subject.name === "cerebras" ? "BadRequest" : "CallbackError", error.message)
        }
        assert.strictEqual(sandbox.stats().connections.total, 0)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    for (const status of [301, 302, 303, 307, 308]) {
      it.live(`that ${status} redirects to another origin is BadRequest at once, and no key leaves its origin`, () =>
        Effect.gen(function* () {
          const other = yield* Sandbox.make()
          const sandbox = yield* Sandbox.make()
          const location = `${other.origin}/v1/chat/completions`
          sandbox.faults.push({ fault: { type: "status", status, headers: { location }, body: `moved ${key}` } })
          const config = yield* subject.config(sandbox, { key })
          const error = yield* Effect.flip(subject.ask(config))
          assert.deepStrictEqual(facts(error), {
            attempts: 1,
            processed: "yes",
            reason: "BadRequest",
            // This SDK asks fetch not to follow, and takes the redirect itself for a failure.
            status: subject.name === "azure" ? status : undefined
          })
          assert.notInclude(inspect(error, { depth: Infinity, showHidden: true }), key)
          if (subject.name !== "azure") assert.include(error.message, other.origin)
          assert.strictEqual(other.stats().connections.total, 0)
          assert.deepStrictEqual([...sandbox.stats().requestsByKey], [[key, 1]])
        }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
      )
    }
  })
}

describe("304, which has no body,", () => {
  it("is an answer to a fetch with a condition, and to an SDK an error with that status", async () => {
    const server = http.createServer((_, response) => response.writeHead(304, { etag: '"1"' }).end())
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
    try {
      await using clients = makeClients()
      const fetch = clients.getFetch({ apiKey: key, baseURL })
      const answer = await fetch(`${baseURL}/models`, { headers: { "if-none-match": '"1"' } })
      assert.deepStrictEqual([answer.status, answer.headers.get("etag"), await answer.text()], [304, '"1"', ""])
      const client = getOpenAIClient({ apiKey: key, baseURL, maxRetries: 0 }, clients)
      const error = await client.models.list().then(
        () => undefined,
        (error: unknown) => error as object
      )
      assert.strictEqual(facts(error ?? {}).status, 304)
    } finally {
      server.close()
    }
  })
})
