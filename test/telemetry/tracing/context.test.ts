/** The async context in which requests are dispatched, and their messages on undici's diagnostics channels. */
import { AsyncLocalStorage } from "node:async_hooks"
import * as diagnostics from "node:diagnostics_channel"
import * as http2 from "node:http2"
import { expect, test } from "vitest"
import { ask, defer, failure, pool, readAll, serveH1, serveH2, until } from "../../transport/harness.ts"

interface Message {
  readonly request: {
    readonly method: string
    readonly origin: string
    readonly path: string
    readonly headers: ReadonlyArray<string>
    readonly addHeader: (name: string, value: string) => unknown
  }
  readonly response?: { readonly statusCode: number; readonly headers: ReadonlyArray<Buffer> }
  readonly socket?: { readonly remotePort: number }
  readonly chunk?: Uint8Array
  readonly error?: Error
  readonly trailers?: unknown
}

interface Connecting {
  readonly connectParams: { readonly port: string }
}

const names = [
  "request:create",
  "client:sendHeaders",
  "request:bodyChunkSent",
  "request:bodySent",
  "request:headers",
  "request:bodyChunkReceived",
  "request:trailers",
  "request:error"
]

/** Listens until the test is over. */
const listen = (name: string, heard: (message: Message) => void): void => {
  const on = (message: unknown) => heard(message as Message)
  diagnostics.subscribe(`undici:${name}`, on)
  defer(() => diagnostics.unsubscribe(`undici:${name}`, on))
}

type Handler = (request: never, response: never) => void

const protocols = [
  { name: "HTTP/1.1", version: "1.1", serve: (handler: Handler) => serveH1(handler as never) },
  {
    name: "HTTP/2",
    version: "2.0",
    serve: (handler: Handler) => serveH2(handler as never, { settings: { maxConcurrentStreams: 1 } })
  }
] as const

interface Asked {
  readonly url: string
  readonly httpVersion: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

interface Answer {
  readonly writeHead: (status: number, headers: Record<string, string>) => Answer
  readonly end: (text: string) => void
}

const answering = (seen: (request: Asked) => void): Handler =>
  ((request: Asked, response: Answer) => {
    seen(request)
    response.writeHead(200, { "x-told": "yes" }).end("ok")
  }) as Handler

for (const { name, serve, version } of protocols) {
  test(`${name}: requests that waited for one socket are each announced in the context of their caller`, async () => {
    const storage = new AsyncLocalStorage<string>()
    const announced: Array<string> = []
    const sealed: Array<string> = []
    const parents: Array<string | undefined> = []
    listen("request:create", ({ request }) => {
      announced.push(`${request.path} in ${storage.getStore()}`)
      request.addHeader("traceparent", `of-${storage.getStore()}`)
    })
    const server = await serve(
      answering(({ headers, httpVersion, url }) => {
        expect(httpVersion).toBe(version)
        parents.push(`${url} of ${headers["traceparent"]}`)
      })
    )
    const it = pool(server.origin, { maxConnections: 1 })
    const callers = Array.from({ length: 20 }, (_, i) => `caller-${i}`)
    const seal = (headers: Readonly<Record<string, string>>) => {
      sealed.push(String(storage.getStore()))
      return headers
    }
    await Promise.all(
      callers.map((caller) =>
        storage.run(caller, async () => readAll((await ask(it, { path: `/${caller}`, seal })).body))
      )
    )
    expect(announced).toEqual(callers.map((caller) => `/${caller} in ${caller}`))
    expect(parents).toEqual(callers.map((caller) => `/${caller} of of-${caller}`))
    expect(sealed).toEqual(callers)
    expect(server.total).toBe(1)
  })

  test(`${name}: undici's channels report a request in undici's form`, async () => {
    const heard: Array<string> = []
    const messages = new Map<string, Message>()
    for (const channel of names) {
      listen(channel, (message) => {
        heard.push(channel)
        messages.set(channel, message)
      })
    }
    const connected: Array<string> = []
    for (const channel of ["client:beforeConnect", "client:connected"]) {
      listen(channel, (message) => {
        connected.push(`${channel} ${(message as unknown as Connecting).connectParams.port}`)
      })
    }
    const server = await serve(answering(() => undefined))
    const it = pool(server.origin)
    const response = await ask(it, { method: "POST", path: "/told?x=1", headers: { "x-asked": "1" }, body: "hello" })
    await readAll(response.body)
    await until(() => heard.includes("request:trailers"))
    expect(heard.toSorted()).toEqual(names.filter((one) => one !== "request:error").toSorted())
    expect(heard[0]).toBe("request:create")
    const { request } = messages.get("request:create")!
    expect(request).toMatchObject({ method: "POST", path: "/told?x=1", origin: server.origin })
    expect(request.headers.slice(0, 2)).toEqual(["x-asked", "1"])
    for (const channel of heard) expect(messages.get(channel)!.request).toBe(request)
    expect(messages.get("client:sendHeaders")!.socket!.remotePort).toBe(server.port)
    expect(Buffer.from(messages.get("request:bodyChunkSent")!.chunk!).toString()).toBe("hello")
    expect(Buffer.from(messages.get("request:bodyChunkReceived")!.chunk!).toString()).toBe("ok")
    const { headers, statusCode } = messages.get("request:headers")!.response!
    expect(statusCode).toBe(200)
    expect(connected).toEqual([`client:beforeConnect ${server.port}`, `client:connected ${server.port}`])
    expect(headers.map(String)).toEqual(expect.arrayContaining(["x-told", "yes"]))
  })

  test(`${name}: an abort is published as AbortError, a timeout as itself, and each once`, async () => {
    const told: Array<string> = []
    listen("request:error", ({ error, request }) => told.push(`${request.path} ${error!.name}`))
    const server = await serve((() => undefined) as Handler)
    const it = pool(server.origin)
    const stop = new AbortController()
    const aborted = failure(ask(it, { path: "/aborted", signal: stop.signal }))
    await until(() => it.stats().inFlight === 1)
    stop.abort()
    await aborted
    await failure(ask(it, { path: "/late", timeouts: { headers: 50, body: 50 } }))
    await it.close(0)
    await until(() => told.length >= 2)
    expect(told).toEqual(["/aborted AbortError", "/late Timeout"])
  })
}

test("HTTP/2: a request that is refused unread is announced again, in the same context", async () => {
  const storage = new AsyncLocalStorage<string>()
  const told: Array<string> = []
  listen("request:create", () => told.push(`create in ${storage.getStore()}`))
  listen("request:error", ({ error }) => told.push(`error ${error!.name}`))
  listen("request:trailers", () => told.push("trailers"))
  let refusals = 1
  const server = await serveH2((_, response) => {
    if (refusals-- > 0) response.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    else response.end("ok")
  })
  const it = pool(server.origin)
  await storage.run("caller", async () => readAll((await ask(it)).body))
  expect(told).toEqual(["create in caller", "error Connection", "create in caller", "trailers"])
})

test("HTTP/2: a header that a subscriber adds and that is none fails the subscriber alone", async () => {
  const thrown: Array<unknown> = []
  listen("request:create", ({ request }) => {
    for (const [name, value] of [
      ["bad name", "1"],
      ["x-bad", "a\nb"]
    ] as const) {
      try {
        request.addHeader(name, value)
      } catch (error) {
        thrown.push(error)
      }
    }
  })
  const server = await serveH2((_, response) => void response.end("ok"))
  expect(await readAll((await ask(pool(server.origin))).body)).toBe("ok")
  expect(thrown.map(String)).toEqual(["TypeError: invalid bad name header", "TypeError: invalid x-bad header"])
})
