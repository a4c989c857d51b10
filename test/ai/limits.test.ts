/** The limits on answers as agents meet them who ask models, or whatever speaks through `HttpClient`. */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as PlatformHttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import { RequestError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as HttpClient from "../../src/HttpClient.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { subjects } from "./models.ts"

const roads = [
  { name: "HTTP/1.1", sandbox: { protocol: "http/1.1" } },
  { name: "HTTP/2", sandbox: { protocol: "both", tls: true } }
] as const

interface Limit {
  readonly options: CommonOptions
  readonly fault?: Sandbox.Fault
  readonly reason: RequestError["reason"]
  readonly says: RegExp
}

const limits: Readonly<Record<string, Limit>> = {
  "drips beyond its deadline": {
    options: { deadline: 250 },
    fault: { type: "slowDrip", bytes: 20, every: 10 },
    reason: "Timeout",
    says: /not finished within its deadline of 250 ms/
  },
  "has more bytes than it may, or such an event": {
    options: { transport: { maxResponseBytes: 100, maxLineBytes: 50 } },
    reason: "Malformed",
    says: /longer than transport\.(?:maxResponseBytes \(100\)|maxLineBytes \(50\)) allows/
  },
  "has a longer head than it may": {
    options: { transport: { maxHeadBytes: 60 } },
    reason: "Malformed",
    says: /the response's head has .*transport\.maxHeadBytes/
  }
}

/** Our own error, however deep. */
const ours = (error: unknown): RequestError | undefined => {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof RequestError) return one
  return undefined
}

/** Sent as by code that writes requests by hand. */
const post = (url: string, body: unknown) =>
  Effect.flatMap(PlatformHttpClient.HttpClient, (client) =>
    client.execute(
      HttpClientRequest.post(url).pipe(
        HttpClientRequest.setHeader("authorization", "Bearer sk-test"),
        HttpClientRequest.bodyText(JSON.stringify(body), "application/json")
      )
    )
  ).pipe(Effect.flatMap((response) => response.text))

for (const road of roads) {
  for (const [what, { fault, options, reason, says }] of Object.entries(limits)) {
    it.scopedLive(`an answer over ${road.name} that ${what} fails every model and HttpClient, whole or streamed`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ ...road.sandbox, tokens: 1_000 })
        if (fault !== undefined) sandbox.faults.push({ fault })
        const client = { ...options, maxRetries: 0, transport: { ca: sandbox.ca, ...options.transport } }
        const models = subjects.flatMap(({ at, provider }) => {
          const model = at(sandbox.baseURL(provider), { client })
          return [
            LanguageModel.generateText({ prompt: "hi" }),
            Stream.runDrain(LanguageModel.streamText({ prompt: "hi" }))
          ].map((asked) =>
            Effect.provide(Effect.asVoid<unknown, AiError.AiError, LanguageModel.LanguageModel>(asked), model)
          )
        })
        const url = `${sandbox.baseURL("openai")}/chat/completions`
        const body = { model: "m", messages: [{ role: "user", content: "hi" }] }
        const requests = [false, true].map((stream) =>
          Effect.provide(Effect.asVoid(post(url, { ...body, stream })), HttpClient.layer(client))
        )
        for (const error of yield* Effect.all([...models.map(Effect.flip), ...requests.map(Effect.flip)], {
          concurrency: "unbounded"
        })) {
          assert.strictEqual(ours(error)?.reason, reason, String(error))
          assert.match(ours(error)?.message ?? "", says)
        }
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  }
}
