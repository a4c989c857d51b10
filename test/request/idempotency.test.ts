/** Retries of requests with unknown outcome, over real sockets: the server counts. */
import { createHash } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import fc from "fast-check"
import { afterEach, assert, describe, it, vi } from "vitest"
import type { RetryAmbiguous } from "../../src/internal/config/make.ts"
import * as Repeat from "../../src/internal/request/idempotency.ts"
import { type Clients, makeClients } from "../../src/Promise.ts"

interface Seen {
  readonly key: string | undefined
  body: string
}

/** Fails each request as its `x-fault` says, as long as it comes again, and notes what came for each `x-case`. */
const serve = async () => {
  const seen = new Map<string, Array<Seen>>()
  const server = http.createServer((request, response) => {
    const came: Seen = { key: request.headers["idempotency-key"]?.toString(), body: "" }
    const of = String(request.headers["x-case"])
    seen.set(of, [...(seen.get(of) ?? []), came])
    request.on("error", () => undefined)
    request.on("data", (chunk: Buffer) => (came.body += chunk.toString()))
    request.on("end", () => {
      const fault = String(request.headers["x-fault"])
      if (fault === "reset") request.socket.resetAndDestroy()
      else if (fault === "end") request.socket.end()
      else if (fault === "half a head") request.socket.end("HTTP/1.1 200 OK\r\ncontent-le")
      else if (fault === "half a body") {
        request.socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"half":')
      } else if (fault !== "silence") response.writeHead(Number(fault)).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

type Server = Awaited<ReturnType<typeof serve>>

type Kind = "harmless" | "lasting"

interface Question {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly kind: Kind
}

const post = (path: string, kind: Kind, body: object = {}): Question => ({
  method: "POST",
  path,
  kind,
  body: JSON.stringify({ model: "m", ...body })
})

const questions: ReadonlyArray<Question> = [
  post("/v1/chat/completions", "harmless"),
  post("/v1/chat/completions", "harmless", { messages: [{ role: "user", content: '"store": true' }], store: false }),
  post("/v1/chat/completions", "harmless", { metadata: { store: true } }),
  post("/v1/chat/completions", "lasting", { store: true }),
  post("/openai/v1/chat/completions", "harmless"),
  post("/openai/deployments/d/chat/completions?api-version=2024-10-21", "harmless"),
  post("/openai/deployments/d/embeddings?api-version=2024-10-21", "harmless"),
  post("/v1/completions", "harmless"),
  post("/v1/embeddings", "harmless"),
  post("/v1/moderations", "harmless"),
  post("/v1/messages", "harmless"),
  post("/v1/threads/t/messages", "lasting"),
  post("/v1/responses", "lasting"),
  post("/v1/responses", "lasting", { store: true }),
  post("/v1/responses", "lasting", { store: null }),
  post("/v1/responses", "lasting", { input: "store: false" }),
  post("/v1/responses", "lasting", { store: false, conversation: "conv_1" }),
  post("/v1/responses", "harmless", { store: false }),
  post("/openai/v1/responses", "harmless", { conversation: null, store: false }),
  post("/v1/responses/resp_1/cancel", "lasting"),
  post("/v1/batches", "lasting"),
  post("/v1/files?purpose=/embeddings", "lasting"),
  post("/v1/images/generations", "lasting"),
  post("/v1/fine_tuning/jobs", "lasting"),
  post("/v1/anything", "lasting"),
  { method: "GET", path: "/v1/models", kind: "harmless" },
  { method: "GET", path: "/v1/files/f/content", kind: "harmless" },
  { method: "HEAD", path: "/v1/models", kind: "harmless" },
  { method: "OPTIONS", path: "/v1/models", kind: "harmless" },
  { method: "DELETE", path: "/v1/files/f", kind: "lasting" },
  { method: "PUT", path: "/v1/files/f", body: "{}", kind: "lasting" },
  { method: "PATCH", path: "/v1/chat/completions", body: "{}", kind: "lasting" }
]

const broken = ["reset", "end"] as const
const failed = ["408", "409", "500", "502", "503", "504", "599"] as const
const final = ["400", "401", "403", "404", "422"] as const

/** Number of times that it is sent, by the rule as documented. */
const expected = ({ fault, mine, option, question, retries }: Case): number => {
  const harmless = question.kind === "harmless" || mine
  if (fault === "silence" || (broken as ReadonlyArray<string>).includes(fault)) {
    return option === "always" || (option === "generation" && harmless) ? 1 + retries : 1
  }
  if ((failed as ReadonlyArray<string>).includes(fault)) return option === "always" || harmless ? 1 + retries : 1
  return 1
}

interface Case {
  readonly question: Question
  readonly fault: string
  readonly option: RetryAmbiguous
  readonly retries: number
  readonly mine: boolean
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  question: fc.constantFrom(...questions),
  fault: fc.oneof(
    fc.constantFrom(...broken),
    fc.constantFrom(...failed),
    fc.constantFrom(...final, "half a head", "half a body")
  ),
  option: fc.constantFrom("generation", "never", "always"),
  retries: fc.integer({ min: 0, max: 3 }),
  mine: fc.boolean()
})

afterEach(() => vi.restoreAllMocks())

/** Sends it, and gives the key that all its attempts had. */
const send = async (server: Server, clients: Clients, id: string, one: Case): Promise<string | undefined> => {
  const { fault, mine, option, question, retries } = one
  const fetch = clients.getFetch({
    // Each has a budget of retries for itself.
    apiKey: `sk-${id}`,
    baseURL: `${server.origin}/v1`,
    maxRetries: retries,
    retryAmbiguous: option,
    // Chance may draw five failures in a row of one place, and circuits are not the subject here.
    transport: { circuitFailures: false },
    // The server has to see it first, however busy this machine is.
    timeout: fault === "silence" ? 1_000 : 20_000
  })
  const headers: Record<string, string> = { "x-case": id, "x-fault": fault }
  if (mine) headers["Idempotency-Key"] = `mine-${id}`
  const init = { method: question.method, headers, body: question.body ?? null }
  await fetch(server.origin + question.path, init).then(
    (response) => response.text(),
    (error: unknown) => error
  )
  const seen = server.seen.get(id) ?? []
  const what = JSON.stringify(one)
  assert.strictEqual(seen.length, expected(one), what)
  const keys = new Set(seen.map(({ key }) => key))
  assert.strictEqual(keys.size, 1, what)
  const [key] = keys
  if (mine) assert.strictEqual(key, `mine-${id}`)
  else if (retries === 0 || ["GET", "HEAD", "OPTIONS"].includes(question.method)) assert.isUndefined(key, what)
  else assert.match(key ?? "none", /^[\da-f-]{36}$/, what)
  assert.deepStrictEqual(new Set(seen.map(({ body }) => body)), new Set([question.body ?? ""]))
  return key
}

describe("a request that failed", () => {
  it("is sent again if and only if the rule of retryAmbiguous permits it, and always under one key", async () => {
    // No pauses between attempts.
    vi.spyOn(Math, "random").mockReturnValue(0)
    await using server = await serve()
    await using clients = makeClients()
    let cases = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyCase, { minLength: 60, maxLength: 60 }), async (all) => {
        const sent = await Promise.all(all.map((one) => send(server, clients, String(++cases), one)))
        const keys = sent.filter((key) => key !== undefined)
        assert.strictEqual(new Set(keys).size, keys.length, "no two requests have one key")
      }),
      { numRuns: 5, endOnFailure: true }
    )
  })

  it("for want of headers in time is treated as one whose connection broke", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0)
    await using server = await serve()
    await using clients = makeClients()
    const cases = (["generation", "never", "always"] as const).flatMap((option) =>
      [post("/v1/embeddings", "harmless"), post("/v1/batches", "lasting")].map((question): Case => ({
        question,
        fault: "silence",
        option,
        retries: 1,
        mine: false
      }))
    )
    await Promise.all(cases.map((one, i) => send(server, clients, String(i), one)))
  })
})

const may = (body: string | Uint8Array | undefined, path = "/v1/responses") =>
  Repeat.whenUnknown({ method: "POST", path, headers: {}, body }, "generation")

describe("a request that is safe to repeat", () => {
  it("is detected in bytes as in text, by the last of two fields, and never without JSON", () => {
    assert.isTrue(may('{"store":false}'))
    assert.isTrue(may(Buffer.from(' {"input":"\u00e9\\"","store" : false}')))
    assert.isTrue(may('{"store":true,"store":false}'))
    assert.isFalse(may('{"store":false,"store":true}'))
    for (const odd of [
      undefined,
      "",
      "store=false",
      '{"input":{"store":false}}',
      '["store",false]',
      '{"store":"no"}'
    ]) {
      assert.isFalse(may(odd), odd)
    }
    assert.isTrue(may(undefined, "/v1/embeddings"))
    // A file of any size is not looked through.
    assert.isFalse(may(createHash("sha256").update("x").digest()))
  })
})
