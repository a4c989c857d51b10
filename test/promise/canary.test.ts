/** A key that must not be found anywhere but at the server, through the door without Effect. */
import { format, inspect } from "node:util"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { assert, describe } from "vitest"
import * as Promised from "../../src/Promise.ts"
import { getAzureOpenAIClient, getOpenAIClient } from "../../src/promise/openai.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { Collector } from "../support/collect.ts"
import { talkative } from "../support/talkative.ts"
import { type Client, hello, type Options, subjects } from "./doors.ts"

const key = "sk-CANARY-key-41c9be"
const header = "CANARY-header-b0714f"
const keyLine = certificate.client.key.split("\n")[1]!

const canaries: Readonly<Record<string, string>> = { key, header, "private key": keyLine }

/** All that Node prints of a value. */
const prints = (value: unknown): ReadonlyArray<string> => {
  const all = [inspect(value, { depth: Infinity, showHidden: true }), format("%s %o %O %d", value, value, value, value)]
  if (value instanceof Error) all.push(value.message, value.stack ?? "", String(value))
  try {
    all.push(JSON.stringify(value) ?? "", format("%j", value))
  } catch {
    // A circle: its JSON can reveal nothing.
  }
  return value instanceof Error && value.cause !== undefined ? [...all, ...prints(value.cause)] : all
}

const found = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  Object.entries(canaries).flatMap(([name, canary]) => {
    const text = texts.find((one) => one.includes(canary))
    if (text === undefined) return []
    const at = text.indexOf(canary)
    return [`${name}: ${text.slice(Math.max(0, at - 200), at + 60)}`]
  })

const repeated = { error: { message: `no: ${key} ${header}`, code: key, param: header }, message: `${key} ${header}` }

const faults: ReadonlyArray<Sandbox.Fault | undefined> = [
  undefined,
  { type: "status", status: 400, headers: { "content-type": "application/json" }, body: JSON.stringify(repeated) },
  { type: "status", status: 401, headers: { "x-echo": `Bearer ${key}` }, body: JSON.stringify(repeated) },
  { type: "status", status: 429, headers: { "content-type": "text/plain" }, body: `${key} ${header}` },
  { type: "status", status: 500, headers: { "content-type": "text/html" }, body: `<p>${key}</p>` },
  { type: "status", status: 200, headers: { "content-type": "application/json" }, body: `${key} ${header}` },
  { type: "status", status: 307, headers: { location: `https://elsewhere.example/?${key}` }, body: key },
  { type: "resetBeforeHeaders" },
  { type: "resetMidBody" },
  { type: "garbage", what: "json" },
  { type: "truncate" }
]

const events = (body: string): Sandbox.Fault => ({
  type: "status",
  status: 200,
  headers: { "content-type": "text/event-stream" },
  body
})

const streamed: ReadonlyArray<Sandbox.Fault | undefined> = [
  undefined,
  events(`event: error\ndata: ${JSON.stringify(repeated)}\n\n`),
  events(`data: ${JSON.stringify(repeated)}\n\ndata: [DONE]\n\n`),
  events(`data: ${key}\n\n`),
  { type: "resetMidBody" }
]

const failureOf = async (send: () => PromiseLike<unknown>): Promise<unknown> => {
  try {
    return await send()
  } catch (error) {
    return error
  }
}

const drain = async (client: Client): Promise<unknown> => {
  const all: Array<unknown> = []
  for await (const chunk of await client.chat.completions.create({ ...hello, stream: true })) all.push(chunk)
  return all
}

describe("a key that a request brings", () => {
  const brought = "sk-CANARY-of-a-function-77"
  const apiKey = async () => brought
  const refused: Sandbox.Fault = {
    type: "status",
    status: 401,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ error: { message: `Incorrect API key provided: ${brought}` } })
  }

  it.live("from a function, or in a library's own header, is taken out of errors as well", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const baseURL = sandbox.baseURL("openai")
      yield* Effect.promise(async () => {
        await using clients = Promised.makeClients()
        const fetch = clients.getFetch({ apiKey: "sk-of-the-budget", baseURL })
        const azure = {
          azureADTokenProvider: apiKey,
          endpoint: sandbox.origin,
          apiVersion: "2024-10-21",
          maxRetries: 0
        }
        for (const ask of [
          () => getOpenAIClient({ apiKey, baseURL, maxRetries: 0 }, clients).chat.completions.create(hello),
          () => getAzureOpenAIClient(azure, clients).chat.completions.create(hello),
          async () => {
            const headers = { authorization: `Bearer ${brought}` }
            throw new Error(await (await fetch(`${baseURL}/models`, { headers })).text())
          }
        ]) {
          sandbox.faults.push({ fault: refused, times: 1 })
          const error = await failureOf(ask)
          assert.instanceOf(error, Error)
          assert.include((error as Error).message, "Incorrect API key")
          assert.deepStrictEqual(
            prints(error).filter((text) => text.includes(brought)),
            []
          )
        }
      })
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], [brought])
    }).pipe(Effect.scoped)
  )
})

for (const subject of subjects) {
  it.live(`no secret of ${subject.name} is printed, whatever happens`, () =>
    Effect.gen(function* () {
      const collector = new Collector()
      const sandbox = yield* Sandbox.make({ tls: true, requestClientCert: true })
      const texts: Array<string> = []
      const tell = (value: unknown): void => void texts.push(...prints(value))
      yield* talkative
      yield* Effect.scoped(
        Effect.zipRight(
          collector.console,
          Effect.promise(async () => {
            const { cert, key: pem } = certificate.client
            const options = {
              apiKey: key,
              defaultHeaders: { "x-api-token": header },
              maxRetries: 0,
              transport: { ca: sandbox.ca, cert, key: pem }
            }
            await using clients = Promised.makeClients()
            const client = subject.get(sandbox.origin, options as object, clients)
            // The key can be read by its name, as with the SDK's own class.
            assert.strictEqual(client.apiKey, key)
            tell(client)
            tell(clients)
            for (const fault of faults) {
              if (fault !== undefined) sandbox.faults.push({ fault, times: 1 })
              tell(await failureOf(() => client.chat.completions.create(hello)))
            }
            for (const fault of streamed) {
              if (fault !== undefined) sandbox.faults.push({ fault, times: 1 })
              tell(await failureOf(() => drain(client)))
            }
            tell(await clients.stats())
            tell(
              await failureOf(async () => subject.get(sandbox.origin, { apiKey: `${key}\n${key}` } as Options, clients))
            )
            tell(await failureOf(async () => subject.get(sandbox.origin, { [key]: key } as Options, clients)))
          })
        )
      )
      tell(yield* Metric.snapshot)
      tell(process.report.getReport())
      assert.deepStrictEqual(found([...texts, collector.text]), [])
      assert.deepStrictEqual([...sandbox.stats().requestsByKey.keys()], [key])
      // Enough text for a secret to be found in.
      assert.isAbove(texts.join("").length, 50_000)
      assert.include(texts.join(""), "[key]")
    }).pipe(Effect.scoped)
  )
}
