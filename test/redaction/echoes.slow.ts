/** Servers that repeat what they were sent, where errors are made of it: nobody but them sees a key. */
import * as http from "node:http"
import * as net from "node:net"
import { inspect } from "node:util"
import { describe, it } from "@effect/vitest"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { makeClients } from "../../src/Promise.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { subjects as models } from "../ai/models.ts"
import { type Client, hello, subjects as doors } from "../promise/doors.ts"
import { Collector, printCause } from "../support/collect.ts"
import { openai6 } from "../support/openai6.ts"
import { type Chat, question, subjects } from "../support/providers.ts"
import { talkative } from "../support/talkative.ts"

const key = "sk-canary-key-8f2c1d"
const header = "canary-header-77ab03"

const failed = JSON.stringify({
  error: { message: `no: ${key} ${header}`, code: key },
  message: `no: ${key} ${header}`
})
const event = `event: error\ndata: ${failed}\n\n`

/** Answers with these heads and pieces of a body, which do not arrive together. */
const answers =
  (status: number, headers: http.OutgoingHttpHeaders, ...pieces: ReadonlyArray<string>) =>
  (): net.Server =>
    http.createServer((request, response) => {
      request.resume()
      response.writeHead(status, headers)
      const [first = "", ...rest] = pieces
      response.write(first)
      const next = (): void => {
        const piece = rest.shift()
        if (piece === undefined) response.end()
        else response.write(piece, () => setTimeout(next, 20))
      }
      setTimeout(next, 20)
    })

/** Writes what it was sent, after this. */
const echo = (before: string) => (): net.Server =>
  net.createServer((socket) => {
    socket.on("error", () => undefined)
    socket.once("data", (head) => socket.end(before + head.toString("latin1")))
  })

const json = { "content-type": "application/json" }
const events = { "content-type": "text/event-stream" }
const gone = JSON.stringify({
  id: "r",
  status: "failed",
  error: { code: "server_error", message: `no: ${key} ${header}` }
})
const inKey = event.indexOf(key) + 5

const servers: Readonly<Record<string, () => net.Server>> = {
  "all of the request": echo(""),
  "the request within a head": echo("HTTP/1.1 200 OK\r\n"),
  "the request where the size of a chunk should be": echo(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
  ),
  "the key in the type of a page": answers(200, { "content-type": `text/html; x=${key}` }, "<p>"),
  "the key as a coding": answers(200, { "content-type": "application/json", "content-encoding": key }, "{}"),
  "the key as a host to go to": answers(307, { location: `http://${key}.example/` }, ""),
  "the key in an error in two pieces": answers(
    400,
    { "content-type": "application/json" },
    failed.slice(0, 30),
    failed.slice(30)
  ),
  "the key in an event in two pieces, cut in the key": answers(200, events, event.slice(0, inKey), event.slice(inKey)),
  "the key in an event in two pieces, cut before it": answers(200, events, event.slice(0, 9), event.slice(9)),
  "the key in an event in two pieces, cut in its end": answers(200, events, event.slice(0, -1), event.slice(-1)),
  "the key in an event that does not end": answers(200, events, event.slice(0, inKey), event.slice(inKey, -2))
}

/** To an SDK these are answers, which are the caller's; a model fails with them. */
const failures: Readonly<Record<string, () => net.Server>> = {
  "the key in an answer that has failed": answers(200, json, gone),
  "the key in an event that tells of such an answer": answers(
    200,
    events,
    `event: response.failed\ndata: {"type":"response.failed","response":${gone}}\n\n`
  )
}

const listen = (server: net.Server) =>
  Effect.acquireRelease(
    Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as net.AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        if (server instanceof http.Server) server.closeAllConnections()
      })
  )

const failureOf = (send: () => PromiseLike<unknown>): Effect.Effect<unknown> =>
  Effect.promise(async () => {
    try {
      return await send()
    } catch (error) {
      return error
    }
  })

const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of stream);
}

const streamed = (client: Chat) => client.chat.completions.create({ ...question("hi"), stream: true })

/** Through a client by Effect, called by `use` and `stream`, and as it is. */
const byEffect = (collector: Collector, port: number) =>
  Effect.forEach(
    [...subjects, openai6],
    (subject) =>
      Effect.scoped(
        Effect.gen(function* () {
          const place = { baseURL: () => `http://127.0.0.1:${port}/v1`, ca: certificate.ca }
          const headers = { "x-api-token": header }
          const config = yield* subject.config(place, { key, headers, maxRetries: 0, timeout: 5_000 })
          for (const asked of [subject.ask(config), Stream.runDrain(subject.streamWith(config, streamed))]) {
            yield* Effect.catchAllCause(Effect.withSpan(Effect.asVoid(asked), subject.name), (cause) =>
              Effect.zipRight(
                Effect.logError(cause),
                Effect.sync(() => collector.add(printCause(cause)))
              )
            )
          }
          const client = yield* subject.get(config)
          const whole = () => client.chat.completions.create(question("hi"))
          for (const ask of [whole, async () => drain(await streamed(client))]) {
            const error = yield* failureOf(ask)
            if (error instanceof Error) collector.add(error, inspect(error, { depth: Infinity, showHidden: true }))
          }
        })
      ),
    { discard: true }
  ).pipe(Effect.provide(ClientLayer.layer()))

const byPromise = (collector: Collector, port: number) =>
  Effect.forEach(doors, (door) =>
    Effect.promise(async () => {
      await using clients = makeClients()
      const options = { apiKey: key, defaultHeaders: { "x-api-token": header }, maxRetries: 0, timeout: 5_000 }
      const client: Client = door.get(`http://127.0.0.1:${port}`, options, clients)
      const whole = () => client.chat.completions.create(hello)
      for (const ask of [whole, async () => drain(await client.chat.completions.create({ ...hello, stream: true }))]) {
        const error = await Effect.runPromise(failureOf(ask))
        if (error instanceof Error) collector.add(error, inspect(error, { depth: Infinity, showHidden: true }))
      }
    })
  )

/** By @effect/ai's models, which have no SDK below them. */
const byModels = (collector: Collector, port: number) =>
  Effect.forEach(
    models,
    ({ at, provider }) => {
      const origin = `http://127.0.0.1:${port}`
      const model = at(provider === "openai" ? `${origin}/v1` : origin, {
        client: { apiKey: Redacted.make(key), headers: { "x-api-token": header }, maxRetries: 0, timeout: 5_000 }
      })
      return Effect.forEach(
        [LanguageModel.generateText({ prompt: "hi" }), Stream.runDrain(LanguageModel.streamText({ prompt: "hi" }))],
        (asked) =>
          Effect.catchAllCause(
            Effect.provide(Effect.asVoid<unknown, unknown, LanguageModel.LanguageModel>(asked), model),
            (cause) =>
              Effect.sync(() => {
                collector.add(
                  printCause(cause),
                  inspect(cause, { depth: Infinity, showHidden: true, customInspect: false })
                )
              })
          )
      )
    },
    { discard: true }
  ).pipe(Effect.provide(ClientLayer.layer()))

const holdsNone = (text: string): void => {
  for (const secret of [key, header]) {
    const at = text.indexOf(secret)
    assert.strictEqual(at, -1, text.slice(Math.max(0, at - 300), at + 100))
  }
  // Enough text for a secret to be found in.
  assert.isAbove(text.length, 50_000)
  assert.include(text, "RequestError")
}

describe.concurrent("a server that repeats", () => {
  for (const [what, make] of Object.entries(servers)) {
    it.live(`${what} reaches only its caller, with every SDK and model, in every way`, () =>
      Effect.gen(function* () {
        const collector = new Collector()
        const port = yield* listen(make())
        yield* talkative
        const all = Effect.all([byEffect(collector, port), byPromise(collector, port), byModels(collector, port)])
        yield* Effect.provide(Effect.scoped(Effect.zipRight(collector.console, all)), collector.layer)
        holdsNone(collector.text)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, make] of Object.entries(failures)) {
    it.live(`${what} reaches only its caller, with every model`, () =>
      Effect.gen(function* () {
        const collector = new Collector()
        const port = yield* listen(make())
        yield* Effect.provide(byModels(collector, port), collector.layer)
        holdsNone(collector.text)
      }).pipe(Effect.scoped)
    )
  }
})
