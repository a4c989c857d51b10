/**
 * Log lines of the SDKs about a provider's text: they hold no secret on any path, and nothing that moves a cursor or
 * forges a line.
 */
import type { ServerResponse } from "node:http"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as Promised from "../../src/Promise.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { hello, rejection, serve, subjects as doors } from "../promise/doors.ts"
import { Collector } from "../support/collect.ts"
import { openai6 } from "../support/openai6.ts"
import { question, subjects } from "../support/providers.ts"

const key = "sk-CANARY-of-a-log-31a7"
const header = "CANARY-header-of-a-log"

/** Not JSON, on two lines, with what clears a terminal; the key is cut in two by how it is sent. */
const pieces = [
  `: a comment\r\n\r\ndata: fine \x1b[2J\u009b2J\u202e ${key.slice(0, 12)}`,
  `${key.slice(12)} ${header}\ndata: 2026-11-27 level=ERROR message=forged\n\ndata: [DONE]\n\n`
]

const answer = (_: unknown, response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(pieces[0])
  setTimeout(() => response.end(pieces[1]), 20)
}

const server = Effect.acquireRelease(
  Effect.promise(() => serve(answer)),
  (one) => Effect.promise(() => one[Symbol.asyncDispose]())
)

const harmless = (text: string): void => {
  for (const secret of [key, header]) assert.notInclude(text, secret)
  for (const odd of ["\x1b", "\u009b", "\u202e"]) assert.notInclude(text, odd)
  assert.notMatch(text, /^2026-11-27 level=ERROR/m)
}

describe("an SDK's log of an event that is invalid JSON", () => {
  for (const subject of [...subjects, openai6]) {
    it.live(`goes to the client layer's logger and to no terminal: ${subject.name}`, () =>
      Effect.gen(function* () {
        const { origin } = yield* server
        const collector = new Collector()
        const logged: Array<string> = []
        const logger = Logger.make((entry) => void logged.push(Logger.stringLogger.log(entry)))
        const config = yield* subject.config(
          { baseURL: () => `${origin}/v1`, ca: certificate.ca },
          { key, headers: { "x-api-token": header }, maxRetries: 0 }
        )
        yield* collector.console
        const error = yield* Stream.runDrain(
          subject.streamWith(config, (client) => client.chat.completions.create({ ...question("hello"), stream: true }))
        ).pipe(
          Effect.flip,
          Effect.provide(ClientLayer.layer()),
          Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
          Logger.withMinimumLogLevel(LogLevel.Debug),
          Effect.scoped
        )
        assert.deepInclude({ ...error }, { _tag: "RequestError", reason: "Malformed" })
        const lines = logged.join("\n")
        harmless(lines)
        harmless(error.message)
        assert.strictEqual(collector.text, "")
        // Cerebras logs nothing, and would print it.
        if (subject.name === "cerebras") return assert.notInclude(lines, "SDK: ")
        assert.include(lines, "SDK: Could not parse message into JSON:")
        assert.include(lines, "level=DEBUG")
      }).pipe(Effect.scoped)
    )
  }

  for (const { get, name } of doors) {
    it.live(`is printed without secrets and in lines of its own: the getter of ${name}`, () =>
      Effect.gen(function* () {
        const { origin } = yield* server
        const collector = new Collector()
        yield* Effect.zipRight(
          collector.console,
          Effect.promise(async () => {
            await using clients = Promised.makeClients()
            const client = get(
              origin,
              { apiKey: key, defaultHeaders: { "x-api-token": header }, maxRetries: 0 },
              clients
            )
            const stream = await client.chat.completions.create({ ...hello, stream: true })
            const error = await rejection(
              (async () => {
                for await (const _ of stream);
              })()
            )
            if (name === "cerebras") assert.strictEqual(error["reason"], "Malformed")
            else assert.instanceOf(error, SyntaxError)
          })
        ).pipe(Effect.scoped)
        harmless(collector.text)
        if (name === "cerebras") assert.strictEqual(collector.text, "")
        else assert.include(collector.text, "Could not parse message into JSON:")
      }).pipe(Effect.scoped)
    )
  }
})
