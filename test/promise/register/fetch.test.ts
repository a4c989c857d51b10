/** The pooled global `fetch` against the one it takes the place of: the same calls, the same server, the same outcome. */
import { EventEmitter, once } from "node:events"
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Agent, MockAgent, setGlobalDispatcher, getGlobalDispatcher } from "undici"
import { afterAll, afterEach, assert, beforeAll, describe, it, vi } from "vitest"
import * as GlobalFetch from "../../../src/internal/promise/register/fetch/install.ts"
import { getOpenAIClient } from "../../../src/promise/openai.ts"
import { closeAll, stats } from "../../../src/Promise.ts"

type Fetch = typeof globalThis.fetch

const native: Fetch = globalThis.fetch

interface Opened {
  readonly origin: string
  readonly sockets: () => number
  readonly requests: () => number
  readonly close: () => Promise<void>
}

const open = async (listener: RequestListener): Promise<Opened> => {
  const sockets = new Set<Socket>()
  let count = 0
  let requests = 0
  const server: Server = createServer(listener)
    .on("request", () => requests++)
    .on("connection", (socket: Socket) => {
      count++
      sockets.add(socket)
    })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets: () => count,
    requests: () => requests,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    }
  }
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk)
  return text
}

/** Headers that the transport decides by itself. */
const ofTransport = new Set(["host", "connection", "accept-language", "sec-fetch-mode", "accept-encoding"])

/** Answers with what came. */
const echo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = await textOf(request)
  const names = Object.keys(request.headers).filter((name) => !ofTransport.has(name))
  const headers = Object.fromEntries(names.toSorted().map((name) => [name, request.headers[name]]))
  response.writeHead(200, { "content-type": "application/json", "x-two": ["a", "b"] })
  response.end(JSON.stringify({ method: request.method, url: request.url, headers, body }))
}

const redirects: Readonly<Record<string, (elsewhere: string) => string>> = {
  "/here": () => "/echo?redirected#else",
  "/there": (elsewhere) => `${elsewhere}/echo`,
  "/loop": () => "/loop",
  "/odd": () => "ftp://localhost/"
}

let elsewhere: Opened
let server: Opened
let pooled: Fetch
/** Answers whose end the test decides. */
const held = new Set<ServerResponse>()
/** Emits `data` as an upload reaches the server. */
const uploads = new EventEmitter()

const listener: RequestListener = (request, response) => {
  const url = new URL(request.url ?? "", "http://localhost")
  const status = Number(url.searchParams.get("status") ?? 200)
  const after = url.searchParams.get("after") ?? "0"
  const location = redirects[url.pathname]?.(elsewhere.origin)
  if (location !== undefined) {
    request.resume().on("end", () => response.writeHead(status, { location }).end("redirected"))
  } else if (url.pathname === "/status") {
    response.writeHead(status, { "content-type": "text/plain", "retry-after": after }).end("said")
  } else if (url.pathname === "/cut") {
    response.writeHead(200, { "content-length": "1000000" }).write("half", () => response.destroy())
  } else if (url.pathname === "/reset") response.destroy()
  else if (url.pathname === "/held") {
    held.add(response)
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
  } else if (url.pathname === "/silent") held.add(response)
  else if (url.pathname === "/upload") {
    request.once("data", () => uploads.emit("data"))
    void echo(request, response)
  } else void echo(request, response)
}

beforeAll(async () => {
  elsewhere = await open(listener)
  server = await open(listener)
  assert.isTrue(GlobalFetch.install(server.origin))
  pooled = globalThis.fetch
})

afterEach(() => {
  for (const response of held) response.destroy()
  held.clear()
  vi.unstubAllGlobals()
  globalThis.fetch = pooled
})

afterAll(async () => {
  globalThis.fetch = native
  await closeAll()
  await Promise.all([server.close(), elsewhere.close()])
})

/** All that a caller can see of an answer, or of a failure. */
const outcome = async (call: Promise<Response>): Promise<unknown> => {
  try {
    const response = await call
    const { ok, redirected, status, statusText, type, url } = response
    const headers = Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("x-")))
    const copy = response.clone()
    const text = await response.text()
    assert.strictEqual(await copy.text(), text)
    assert.instanceOf(response, Response)
    return { ok, redirected, status, statusText, type, url, headers, text, used: response.bodyUsed }
  } catch (error) {
    const { cause, message } = error as Error
    const isOurs = error instanceof TypeError
    return {
      name: (error as Error).constructor.name,
      message,
      cause: isOurs && cause instanceof Error ? "error" : cause
    }
  }
}

const form = (): FormData => {
  const form = new FormData()
  form.append("purpose", "batch")
  return form
}

const json = { "content-type": "application/json", authorization: "Bearer sk-parity-1" }

const chunked = (): ReadableStream<Uint8Array> => {
  const chunks = ["one ", "two"]
  return new ReadableStream({
    async pull(controller) {
      await new Promise(setImmediate)
      const chunk = chunks.shift()
      if (chunk === undefined) controller.close()
      else controller.enqueue(Buffer.from(chunk))
    }
  })
}

const streamed = { method: "POST", body: chunked, duplex: "half" } as const

type Call = (fetch: Fetch, origin: string) => Promise<Response>

const post = (path: string, init: RequestInit = {}): Call => {
  const all = { method: "POST", headers: json, body: `{"a":1}`, ...init }
  return (fetch, origin) => fetch(origin + path, all)
}

const calls: Readonly<Record<string, Call>> = {
  "a GET": (fetch, origin) => fetch(`${origin}/echo?a=1#fragment`),
  "a URL": (fetch, origin) => fetch(new URL("/echo", origin), { headers: [["x-mine", "1"]] }),
  "an object that turns into an address": (fetch, origin) =>
    fetch({ toString: () => `${origin}/echo` } as unknown as string),
  "a method in small letters": (fetch, origin) => fetch(`${origin}/echo`, { method: "post", body: "x" }),
  "a POST of text": post("/echo"),
  "a POST of bytes": post("/echo", { body: Buffer.from("bytes"), headers: {} }),
  "a POST of parameters": post("/echo", { body: new URLSearchParams({ a: "1" }), headers: {} }),
  "a POST of a Blob": post("/echo", { body: new Blob(["blob"], { type: "text/x-blob" }), headers: {} }),
  "a POST of a stream": (fetch, origin) =>
    fetch(`${origin}/echo`, { ...streamed, body: streamed.body() } as RequestInit),
  "an object that throws": (fetch) =>
    fetch({
      toString: () => {
        throw new RangeError("mine")
      }
    } as unknown as string),
  "a connection header": (fetch, origin) => fetch(`${origin}/echo`, { headers: { connection: "keep-alive" } }),
  "a user agent": (fetch, origin) => fetch(`${origin}/echo`, { headers: { "user-agent": "mine/1" } }),
  "a Request": (fetch, origin) =>
    fetch(new Request(`${origin}/echo`, { method: "PUT", headers: json, body: `{"b":2}` })),
  "a Request with an init": (fetch, origin) =>
    fetch(new Request(`${origin}/echo`, { method: "PUT", headers: json, body: "1" }), {
      method: "PATCH",
      body: "2",
      headers: { "x-mine": "2" }
    }),
  "a Request of a stream": (fetch, origin) =>
    fetch(new Request(`${origin}/echo`, { ...streamed, body: streamed.body() } as RequestInit)),
  "a Request without a body": (fetch, origin) => fetch(new Request(`${origin}/echo`)),
  "a HEAD": (fetch, origin) => fetch(`${origin}/echo`, { method: "HEAD" }),
  "status 204": (fetch, origin) => fetch(`${origin}/status?status=204`),
  "status 404": (fetch, origin) => fetch(`${origin}/status?status=404`),
  "status 429": post("/status?status=429"),
  "status 503": post("/status?status=503"),
  "a redirect by 301": post("/here?status=301"),
  "a redirect by 302": post("/here?status=302"),
  "a redirect by 303": post("/here?status=303"),
  "a redirect by 307": post("/here?status=307"),
  "a redirect of a PUT by 303": post("/here?status=303", { method: "PUT" }),
  "a redirect of a Request by 308": (fetch, origin) =>
    fetch(new Request(`${origin}/here?status=308`, { method: "POST", headers: json, body: `{"c":3}` })),
  "a redirect to another origin": (fetch, origin) =>
    fetch(`${origin}/there?status=307`, { method: "POST", headers: { ...json, cookie: "a=b" }, body: "x" }),
  "a redirect that is not followed": post("/here?status=302", { redirect: "manual" }),
  "a redirect that is forbidden": post("/here?status=302", { redirect: "error" }),
  "a redirect without an end": post("/loop?status=302"),
  "a redirect to no web address": post("/odd?status=302"),
  "a redirect of a stream by 307": (fetch, origin) =>
    fetch(`${origin}/here?status=307`, { ...streamed, body: streamed.body() } as RequestInit),
  "a connection that breaks": post("/reset"),
  "a body that breaks off": (fetch, origin) => fetch(`${origin}/cut`),
  "an abort before": (fetch, origin) => fetch(`${origin}/echo`, { signal: AbortSignal.abort(new Error("mine")) }),
  "an abort before, of a Request": (fetch, origin) =>
    fetch(new Request(`${origin}/echo`, { signal: AbortSignal.abort(new Error("mine")) })),
  "an abort without a reason": (fetch, origin) => fetch(`${origin}/echo`, { signal: AbortSignal.abort() }),
  "a GET with a body": post("/echo", { method: "GET" }),
  "an address with credentials": (fetch, origin) => fetch(origin.replace("//", "//me:pw@"))
}

/** Failures of what can't be sent have other words, and the same class. */
const worded = new Set(["a GET with a body", "an address with credentials"])

const classOf = (result: unknown): unknown => (result as { readonly name?: unknown }).name

/** Asks with a key whose budget is used up for longer than anybody waits. */
const spent = async () => {
  const headers = { authorization: "Bearer sk-spent-1" }
  const response = await fetch(`${server.origin}/status?status=429&after=300`, { headers })
  return { status: response.status, after: Number(response.headers.get("retry-after")), text: await response.text() }
}

describe("the global fetch, pooled for an origin", () => {
  for (const [name, call] of Object.entries(calls)) {
    it(`answers ${name} like the original`, async () => {
      const start = server.requests()
      const before = await outcome(call(native, server.origin))
      const [middle, sockets] = [server.requests(), server.sockets()]
      const after = await outcome(call(globalThis.fetch, server.origin))
      assert.strictEqual(server.requests() - middle, middle - start)
      if (worded.has(name)) assert.deepStrictEqual([classOf(after), classOf(before)], ["TypeError", "TypeError"])
      else assert.deepStrictEqual(after, before)
      assert.isAtMost(server.sockets() - sockets, 1)
    })
  }

  it("sends forms", async () => {
    for (const call of [
      () => fetch(`${server.origin}/echo`, { method: "POST", body: form() }),
      () => fetch(new Request(`${server.origin}/echo`, { method: "POST", body: form() }))
    ]) {
      const { body, headers } = (await (await call()).json()) as { body: string; headers: Record<string, string> }
      assert.match(headers["content-type"] ?? "", /^multipart\/form-data; boundary=/)
      assert.strictEqual(headers["content-length"], String(body.length))
      assert.match(body, /name="purpose"\r\n\r\nbatch\r\n/)
    }
  })

  it("gives no credential to another origin", async () => {
    const headers = { authorization: "Bearer sk-a", "api-key": "b", "x-api-key": "c", cookie: "d=e", "x-mine": "f" }
    const response = await fetch(`${server.origin}/there?status=302`, { headers })
    const got = ((await response.json()) as { headers: Record<string, string> }).headers
    assert.deepStrictEqual(
      Object.keys(headers).filter((name) => got[name] !== undefined),
      ["x-mine"]
    )
    assert.strictEqual(response.url, `${elsewhere.origin}/echo`)
    assert.isTrue(response.redirected)
  })

  it("gives a streamed answer as it comes, and its abort", async () => {
    const aborting = new AbortController()
    const response = await fetch(`${server.origin}/held`, { signal: aborting.signal })
    const reader = response.body!.getReader()
    const first = await reader.read()
    assert.strictEqual(Buffer.from(first.value as Uint8Array).toString(), "data: 1\n\n")
    const [answer] = held
    const closed = once(answer!, "close")
    aborting.abort(new Error("enough"))
    const error = await reader.read().then(
      () => undefined,
      (error: unknown) => error
    )
    assert.strictEqual((error as Error).message, "enough")
    await closed
  })

  it("sends a stream as it comes, of a Request too", async () => {
    for (const inRequest of [false, true]) {
      const stream = new TransformStream<Uint8Array, Uint8Array>()
      const writer = stream.writable.getWriter()
      const init = { method: "POST", body: stream.readable, duplex: "half" } as RequestInit
      const url = `${server.origin}/upload`
      const answer = inRequest ? fetch(new Request(url, init)) : fetch(url, init)
      const begun = once(uploads, "data")
      await writer.write(Buffer.from("one "))
      await begun
      await writer.write(Buffer.from("two"))
      await writer.close()
      const { body, headers } = (await (await answer).json()) as { body: string; headers: Record<string, string> }
      assert.strictEqual(body, "one two")
      assert.strictEqual(headers["transfer-encoding"], "chunked")
    }
  })

  it("rejects with the caller's reason while it waits for an answer", async () => {
    const aborting = new AbortController()
    const answer = fetch(`${server.origin}/silent`, { signal: aborting.signal }).catch((error: unknown) => error)
    await vi.waitFor(() => assert.strictEqual(held.size, 1))
    aborting.abort(new Error("mine"))
    assert.strictEqual(((await answer) as Error).message, "mine")
  })

  it("answers a request that was not sent, for its key is out of budget, as the provider did", async () => {
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await spent())
    assert.deepStrictEqual(
      answers.map(({ status }) => status),
      answers.map(() => 429)
    )
    const { after, text } = answers.at(-1)!
    assert.strictEqual((JSON.parse(text) as { error: { code: string } }).error.code, "rate_limit_exceeded")
    assert.isAbove(after, 200)
  })

  it("counts requests by credential, whatever header has it", async () => {
    await closeAll()
    const headers = [
      { authorization: "Bearer sk-one-1234" },
      { authorization: "bearer sk-one-1234" },
      { "api-key": "sk-two-1234" },
      { "x-api-key": "sk-two-1234" },
      {},
      { authorization: "Bearer sk-one-1234", "openai-organization": "org" }
    ]
    for (const one of headers) await (await fetch(`${server.origin}/echo`, { headers: one })).text()
    const { clients } = await stats()
    assert.deepStrictEqual(
      clients.map(({ baseURL, provider }) => `${provider} ${baseURL}`),
      Array(4).fill(`openai ${server.origin}`)
    )
  })

  it("uses the provider that the environment names for the origin", async () => {
    await closeAll()
    const names = { AZURE_OPENAI_ENDPOINT: "azure", GROQ_BASE_URL: "groq", CEREBRAS_BASE_URL: "cerebras" }
    const headers = { "api-key": "sk-named-1" }
    for (const [name, provider] of Object.entries(names)) {
      vi.stubEnv(name, elsewhere.origin)
      for (const query of ["", "?api-version=2024-10-21"]) {
        assert.strictEqual((await fetch(`${elsewhere.origin}/echo${query}`, { headers })).status, 200)
      }
      vi.unstubAllEnvs()
      assert.include((await stats()).quotas.map((quota) => quota.provider).join(), provider)
    }
    const { clients } = await stats()
    assert.deepStrictEqual(
      clients.map(({ provider }) => provider),
      ["azure", "azure", "groq", "cerebras"]
    )
  })

  it("shares the budget of a client of the SDK that has the same key and base URL", async () => {
    await closeAll()
    await getOpenAIClient({ apiKey: "sk-shared-1", baseURL: server.origin }).models.list()
    await (await fetch(`${server.origin}/echo`, { headers: { authorization: "Bearer sk-shared-1" } })).text()
    assert.strictEqual((await stats()).quotas.length, 1)
    await (await fetch(`${server.origin}/echo`, { headers: { authorization: "Bearer sk-other-1" } })).text()
    assert.strictEqual((await stats()).quotas.length, 2)
  })

  it("leaves other origins, other dispatchers and stubs alone", async () => {
    const seen: Array<unknown> = []
    const [one, two] = [`${elsewhere.origin}/echo`, { headers: { "x-mine": "1" } }] as const
    globalThis.fetch = (...args) => {
      seen.push(args)
      return Promise.resolve(new Response("stub"))
    }
    const restore = globalThis.fetch
    GlobalFetch.install("1")
    const request = new Request(one)
    await fetch(one, two)
    for (const input of [request, "data:,hello", "no address"]) await fetch(input)
    const dispatcher = new Agent()
    await fetch(server.origin, { dispatcher } as object)
    assert.deepStrictEqual(seen, [
      [one, two],
      [request, undefined],
      ["data:,hello", undefined],
      ["no address", undefined],
      [server.origin, { dispatcher }]
    ])
    globalThis.fetch = restore
    vi.stubGlobal("fetch", () => "stubbed")
    assert.strictEqual(fetch(server.origin) as unknown, "stubbed")
    assert.deepStrictEqual(Object.getOwnPropertyDescriptor(globalThis, "fetch")?.writable, true)
  })

  it("leaves requests to a mock or a proxy that all requests are meant to pass", async () => {
    const before = getGlobalDispatcher()
    const mock = new MockAgent()
    mock.disableNetConnect()
    mock.get(server.origin).intercept({ path: "/echo" }).reply(200, "mocked")
    setGlobalDispatcher(mock)
    try {
      assert.strictEqual(await (await fetch(`${server.origin}/echo`)).text(), "mocked")
    } finally {
      setGlobalDispatcher(before)
    }
  })

  it("shares a bounded number of sockets", async () => {
    await closeAll()
    const before = server.sockets()
    const all = await Promise.all(
      Array.from({ length: 300 }, async () => (await fetch(`${server.origin}/echo`)).status)
    )
    assert.deepStrictEqual(new Set(all), new Set([200]))
    assert.isAtMost(server.sockets() - before, 256)
  })
})
