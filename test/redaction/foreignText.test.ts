/** Text of providers in errors: without secrets, and in one line of a log. */
import { inspect } from "node:util"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { assert } from "vitest"
import { type ClientError, PoolError, RequestError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import { oneLine } from "../../src/internal/redaction/escapeControl.ts"
import { makeClients } from "../../src/Promise.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { serveFrames } from "../support/frames.ts"
import { openai6 } from "../support/openai6.ts"
import { ask, question, type Subject, subjects } from "../support/providers.ts"

/** With characters that JSON and URLs write otherwise. */
const key = 'sk-CANARY"\\/+key'
const header = "CANARY-header-77ab03"
const parameter = "CANARY-parameter-5e19"
const spelt = [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key), header, parameter]

/** A line that a log might have, and what clears a terminal. */
const forged = "fine\r\n2026-11-27 level=ERROR message=forged\u2028\x1b[2J\u202e\x00"

const stream = (event: string): Sandbox.Fault => ({
  type: "status",
  status: 200,
  headers: { "content-type": "text/event-stream" },
  body: event
})

const answers: Readonly<Record<string, Sandbox.Fault>> = {
  "an error in JSON": {
    type: "status",
    status: 400,
    headers: { "content-type": "application/json", "x-request-id": header },
    body: JSON.stringify({ error: { message: `${forged} ${key}`, param: header }, message: `${forged} ${key}` })
  },
  "an error in JSON with a key in a URL": {
    type: "status",
    status: 422,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      error: { message: `no such ?key=${encodeURIComponent(key)}&Subscription-Key=${parameter}` },
      message: header
    })
  },
  "an error that is a page": {
    type: "status",
    status: 400,
    headers: { "content-type": "text/plain" },
    body: `${forged} ${key} ${header}`
  },
  "an error that is an HTML page": {
    type: "status",
    status: 502,
    headers: { "content-type": "text/html" },
    body: `<html><title>${forged} ${key} ${header.replace("-", "&#45;")}</title><p>${key}`
  },
  "invalid JSON, which a parser quotes": {
    type: "status",
    status: 200,
    headers: { "content-type": "application/json" },
    body: `${key} ${header}`
  }
}

const events: Readonly<Record<string, Sandbox.Fault>> = {
  "an error in an event": stream(
    `event: error\ndata: ${JSON.stringify({ error: { message: `${forged} ${key} ${header}` } })}\n\n`
  ),
  "an event that is invalid JSON": stream(`data: ${key} ${header}\n\n`)
}

/** All that a program might print of it. */
const printed = (error: Error): string =>
  [
    error.message,
    error.stack ?? "",
    inspect(error, { depth: Infinity, showHidden: true }),
    // As do those who look at fields themselves, whatever these say of how to be printed.
    inspect(error, { depth: Infinity, showHidden: true, customInspect: false }),
    JSON.stringify(error),
    Cause.pretty(Cause.fail(error), { renderErrorCause: true })
  ].join("\n")

/** Lines of `text` that the forger wrote. */
const lines = (text: string): ReadonlyArray<string> =>
  text.split(/[\r\n\u2028]/).filter((line) => line.trimStart().startsWith("2026-11-27 level=ERROR"))

const check = (
  subject: Pick<Subject, "config" | "use" | "streamWith">,
  what: string,
  fault: Sandbox.Fault,
  streamed: boolean
) =>
  it.live(`${what} holds no secret, and forges no line of a log`, () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      sandbox.faults.push({ fault })
      const config = yield* subject.config(sandbox, {
        key,
        headers: { "x-api-token": header },
        query: { "Subscription-Key": parameter },
        maxRetries: 0
      })
      const logged: Array<string> = []
      const logger = Logger.make((entry) => void logged.push(Logger.stringLogger.log(entry)))
      const asked = streamed
        ? Stream.runDrain(
            subject.streamWith(config, (client) =>
              client.chat.completions.create({ ...question("hello"), stream: true })
            )
          )
        : Effect.asVoid(subject.use(config, (client) => ask(client)))
      const error = yield* Effect.flip(
        Effect.tapErrorCause(asked, (cause) => Effect.logError("it failed", cause)).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
      )
      const text = [printed(error), ...logged].join("\n")
      for (const secret of spelt) assert.notInclude(text, secret)
      assert.strictEqual(error.message, oneLine(error.message))
      for (const character of ["\x1b", "\u2028", "\u202e", "\0"]) assert.notInclude(text, character)
      assert.deepStrictEqual(lines(text), [])
      assert.deepStrictEqual(lines(logged.join("\n")), [])
      if (what.includes("key in a URL")) assert.match(text, /\[key\]|\[header\]/)
    }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
  )

for (const subject of [...subjects, openai6]) {
  describe(`logs and spans of ${subject.name}`, () => {
    for (const [what, fault] of Object.entries(answers)) check(subject, what, fault, false)
    for (const [what, fault] of Object.entries(events)) check(subject, what, fault, true)
  })
}

/** Repeats what it was sent in the GOAWAY that ends its sessions, before its answer or in the midst of it. */
const goingAway = (isBegun: boolean) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      serveFrames({
        onRequest: (to, id) => {
          if (isBegun) {
            to.headers(id, { fields: [["content-type", "text/event-stream"]] })
            to.data(id, "data: {}\n\n")
          }
          setTimeout(() => to.goaway(id, 11, `too_many ${key} ${header} ${forged}`), 20)
        }
      })
    ),
    ({ close }) => Effect.promise(close)
  )

const tells = (error: Error): void => {
  assert.include(error.message, "GOAWAY ENHANCE_YOUR_CALM (11): too_many [key] [hidden] fine")
  const text = printed(error)
  for (const secret of spelt) assert.notInclude(text, secret)
  assert.deepStrictEqual(lines(text), [])
}

describe("the reason of a GOAWAY", () => {
  for (const isBegun of [false, true]) {
    const where = isBegun ? "in the midst of an answer" : "before an answer"
    it.live(`${where} holds no secret, and forges no line of a log, in the error of an SDK`, () =>
      Effect.gen(function* () {
        const server = yield* goingAway(isBegun)
        const config = yield* subjects[0]!.config(
          { baseURL: () => `${server.origin}/v1`, ca: certificate.ca },
          { key, headers: { "x-api-token": header }, maxRetries: 0, transport: { http2: "prior-knowledge" } }
        )
        const asked = isBegun ? Stream.runDrain(subjects[0]!.stream(config)) : subjects[0]!.ask(config)
        tells(yield* Effect.flip<void | string, ClientError, ClientMap>(asked))
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped)
    )

    it.live(`${where} holds no secret, and forges no line of a log, in the error of a fetch`, () =>
      Effect.gen(function* () {
        const server = yield* goingAway(isBegun)
        const baseURL = `${server.origin}/v1`
        const failed = Effect.tryPromise({
          try: async () => {
            await using clients = makeClients()
            const transport = { http2: "prior-knowledge" } as const
            const defaultHeaders = { "x-api-token": header }
            const fetch = clients.getFetch({ apiKey: key, baseURL, defaultHeaders, maxRetries: 0, transport })
            const headers = { authorization: `Bearer ${key}` }
            const answer = await fetch(`${baseURL}/models`, { method: "POST", body: "{}", headers })
            await answer.text()
          },
          catch: (error) => error as Error
        })
        tells(yield* Effect.flip(failed))
      }).pipe(Effect.scoped)
    )
  }
})

describe("a line of a log", () => {
  it("is the message of an error of ours, whatever its text", () => {
    const place = { provider: "openai", baseURL: "https://api.example", detail: forged }
    const request = new RequestError({ ...place, reason: "Server", processed: "yes", attempts: 1 })
    const pool = new PoolError({ ...place, reason: "Closed" })
    for (const { message } of [request, pool]) {
      assert.include(message, oneLine(forged))
      assert.strictEqual(message, oneLine(message))
    }
  })

  it("has the text in it, with each odd character spelt out, and no other change", () => {
    assert.strictEqual(
      oneLine(forged),
      "fine\\r\\n2026-11-27 level=ERROR message=forged\\u2028\\u001b[2J\\u202e\\u0000"
    )
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const line = oneLine(text)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(line, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
        assert.strictEqual(oneLine(line), line)
      })
    )
    fc.assert(fc.property(fc.stringMatching(/^[ -~\u00e4\u4e2d]*$/), (text) => assert.strictEqual(oneLine(text), text)))
  })
})
