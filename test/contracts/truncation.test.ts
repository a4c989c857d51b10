/** An answer whose bytes end anywhere, politely, is whole to its reader or fails, by every way: none is shorter than it should be. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { completionFor, contentFor, event } from "../faults/server/arrival.ts"
import { type Each, type Outcome, runtime, type Way, type WayOptions, ways } from "../support/everyWay.ts"
import { draws } from "../support/draws.ts"

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
let origin = ""

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  await runtime.dispose()
  server.close()
})

const cutAnywhere = (
  answers: Readonly<Record<string, Answer>>,
  ask: (way: Way, options: WayOptions, each: Each) => Promise<Outcome>
): Promise<void> => {
  const cut = fc.constantFrom(...Object.entries(answers)).chain(([name, whole]) =>
    // A body that lacks only a few bytes looks most like a complete one.
    fc.record({
      name: fc.constant(name),
      whole: fc.constant(whole),
      missing: fc.oneof(fc.nat(whole.body.length), fc.nat(40)),
      way: fc.constantFrom(...ways)
    })
  )
  return fc.assert(
    fc.asyncProperty(cut, async ({ missing, way, whole }) => {
      answer = { ...whole, body: whole.body.subarray(0, Math.max(0, whole.body.length - missing)) }
      let text = ""
      const options = { maxRetries: 0, transport: { circuitFailures: false } } as const
      const outcome = await ask(way, options, (piece) => void (text += piece))
      if (outcome.type === "ended") return assert.strictEqual(text, content)
      assert.strictEqual(outcome.type, "failed")
      if (outcome.type !== "failed") return
      assert.notStrictEqual(missing, 0, String(outcome.error))
      if (!way.isSdkObject)
        assert.strictEqual(outcome.error._tag, "RequestError", `${way.provider} by ${way.name}: ${outcome.error}`)
    }),
    { numRuns: draws(400) }
  )
}

describe("an answer that ends anywhere is whole or fails", () => {
  it("if it is a stream", () => cutAnywhere(streams, (way, options, each) => way.stream(origin, options, each)))

  it("if it comes in one piece", () => cutAnywhere(wholes, (way, options, each) => way.ask(origin, options, each)))
})
