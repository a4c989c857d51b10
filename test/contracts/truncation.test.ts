/** An answer whose bytes end anywhere, politely, is whole to its reader or fails: none is shorter than it should be. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { completionFor, contentFor, event } from "../faults/server/arrival.ts"
import { type Subject, subjects } from "../support/providers.ts"

const id = "ünder way"
const content = contentFor(id)
// The last event has text in it, or its loss would go unnoticed.
const streamed = `${event(id, "answer to ")}${event(id, id, "stop")}data: [DONE]\n\n`

interface Answer {
  readonly type: string
  readonly encoding?: string
  readonly body: Buffer
}

const events = "text/event-stream"

const streams: Readonly<Record<string, Answer>> = {
  "a stream": { type: events, body: Buffer.from(streamed) },
  "a stream without [DONE]": { type: events, body: Buffer.from(streamed.replace("data: [DONE]\n\n", "")) },
  "a stream whose lines end with CR and LF": { type: events, body: Buffer.from(streamed.replaceAll("\n", "\r\n")) },
  "a compressed stream": { type: events, encoding: "gzip", body: gzipSync(streamed) }
}

const wholes: Readonly<Record<string, Answer>> = {
  "an answer": { type: "application/json", body: Buffer.from(completionFor(id)) },
  "an answer that is called plain text": { type: "text/plain", body: Buffer.from(completionFor(id)) },
  "a compressed answer": { type: "application/json", encoding: "gzip", body: gzipSync(completionFor(id)) }
}

let answer: Answer | undefined
const server = http.createServer((request, response) => {
  request.resume().on("end", () => {
    const { body, encoding, type } = answer!
    response.writeHead(200, { "content-type": type, ...(encoding !== undefined && { "content-encoding": encoding }) })
    response.end(body)
  })
})
const runtime = ManagedRuntime.make(ClientLayer.layer())
const configs = new Map<Subject, ClientConfig>()

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const place = { baseURL: () => `http://127.0.0.1:${port}/v1`, ca: "" }
  for (const subject of subjects) {
    const options = { maxRetries: 0, transport: { ca: undefined, circuitFailures: false } } as const
    configs.set(subject, await runtime.runPromise(subject.config(place, options)))
  }
})

afterAll(async () => {
  await runtime.dispose()
  server.close()
})

const cutAnywhere = (
  answers: Readonly<Record<string, Answer>>,
  ask: (subject: Subject, config: ClientConfig) => ReturnType<Subject["ask"]>
): Promise<void> => {
  const cut = fc.constantFrom(...Object.entries(answers)).chain(([name, whole]) =>
    // A body that lacks only a few bytes looks most like a complete one.
    fc.record({
      name: fc.constant(name),
      whole: fc.constant(whole),
      missing: fc.oneof(fc.nat(whole.body.length), fc.nat(40)),
      subject: fc.constantFrom(...subjects)
    })
  )
  return fc.assert(
    fc.asyncProperty(cut, async ({ missing, subject, whole }) => {
      answer = { ...whole, body: whole.body.subarray(0, Math.max(0, whole.body.length - missing)) }
      const outcome = await runtime.runPromise(Effect.either(ask(subject, configs.get(subject)!)))
      if (Either.isRight(outcome)) return assert.strictEqual(outcome.right, content)
      assert.notStrictEqual(missing, 0, String(outcome.left))
      assert.strictEqual(outcome.left._tag, "RequestError")
    }),
    { numRuns: 300 }
  )
}

describe("an answer that ends anywhere is whole or fails", () => {
  it("if it is a stream", () =>
    cutAnywhere(streams, (subject, config) =>
      Effect.map(Stream.runCollect(subject.stream(config)), (pieces) => Chunk.join(pieces, ""))
    ))

  it("if it comes in one piece", () => cutAnywhere(wholes, (subject, config) => subject.ask(config)))
})
