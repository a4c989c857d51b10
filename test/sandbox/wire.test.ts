import { once } from "node:events"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as tls from "node:tls"
import { afterEach, assert, describe, expect, it, vi } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { until } from "../support/wait.ts"

vi.mock("../../src/internal/util/timers.ts", () => import("../support/globalTimers.ts"))

const CHAT = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] })
const STREAM = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }], stream: true })

/** Else `raw1` waits for silence. */
const CLOSE = { connection: "close" }

const open: Array<() => unknown> = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
const start = async (options: Sandbox.Options) => {
  const sandbox = await Sandbox.start(options)
  open.push(sandbox.close)
  return sandbox
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
  /** `end` for a complete answer, else the cause that cut it. */
  readonly end: string
}

/** A request as bytes over a socket, so that nothing stands between the test and what the server sent. */
const raw1 = (port: number, body: string, headers: Record<string, string> = {}, wait?: number): Promise<Answer> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1")
    let text = ""
    let quiet: NodeJS.Timeout | undefined
    const finish = (end: string) => {
      clearTimeout(quiet)
      socket.destroy()
      const [head = "", ...rest] = text.split("\r\n\r\n")
      const lines = head.split("\r\n")
      resolve({
        status: /^HTTP\/1.1 (\d+)/.test(head) ? Number(head.split(" ")[1]) : undefined,
        headers: Object.fromEntries(lines.slice(1).map((line) => line.split(": ", 2))),
        body: rest.join("\r\n\r\n"),
        end
      })
    }
    const arm = (ms: number) => {
      clearTimeout(quiet)
      quiet = setTimeout(() => finish("silence"), wait ?? ms)
    }
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      arm(300)
    })
    socket.on("error", () => {})
    socket.on("close", () => finish("closed"))
    const lines = Object.entries({ ...headers, "content-length": `${body.length}` }).map(([k, v]) => `${k}: ${v}\r\n`)
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n${body}`)
    arm(10_000)
  })

const connect2 = (origin: string, options: http2.SecureClientSessionOptions = {}) => {
  const session = http2.connect(origin, options)
  session.on("error", () => {})
  open.push(() => session.destroy())
  return session
}

const raw2 = (session: http2.ClientHttp2Session, body: string, headers: Record<string, string> = {}, wait = 10_000) =>
  new Promise<Answer>((resolve) => {
    const request = session.request({ ":method": "POST", ":path": "/v1/chat/completions", ...headers })
    let received: Readonly<Record<string, unknown>> = {}
    let text = ""
    let ended = false
    const timer = setTimeout(() => finish("silence"), wait)
    const finish = (end: string) => {
      clearTimeout(timer)
      resolve({ status: Number(received[":status"]) || undefined, headers: received, body: text, end })
    }
    request.on("response", (value) => {
      received = value
    })
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      timer.refresh()
    })
    request.on("end", () => {
      ended = true
    })
    request.on("error", () => {})
    request.on("close", () => finish(request.rstCode !== 0 ? `RST ${request.rstCode}` : ended ? "end" : "closed"))
    request.end(body)
  })

const frame = (type: number, flags: number, stream: number, payload: Buffer) => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])

/** The HTTP/2 frames that answer a chat request, as `type:flags` and, for RST_STREAM, its code. */
const frames = (port: number, wait = 300): Promise<ReadonlyArray<string>> =>
  new Promise((resolve) => {
    // HPACK: POST and http are in its static table; path and authority are literals with indexed names.
    const headers = Buffer.concat([
      Buffer.from([0x83, 0x86, 0x04]),
      text("/v1/chat/completions"),
      Buffer.from([0x01]),
      text("x")
    ])
    const socket = net.connect(port, "127.0.0.1")
    let bytes = Buffer.alloc(0)
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
    })
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    socket.write(
      Buffer.concat([frame(4, 0, 0, Buffer.alloc(0)), frame(1, 4, 1, headers), frame(0, 1, 1, Buffer.from(CHAT))])
    )
    setTimeout(() => {
      socket.destroy()
      const seen: Array<string> = []
      for (let i = 0; i + 9 <= bytes.length; i += 9 + bytes.readUIntBE(i, 3)) {
        const code = bytes[i + 3] === 3 ? `:${bytes.readUInt32BE(i + 9)}` : ""
        if (bytes.readUInt32BE(i + 5) === 1) seen.push(`${bytes[i + 3]}:${bytes[i + 4]}${code}`)
      }
      resolve(seen)
    }, wait)
  })

describe("protocols", () => {
  it.each([
    ["with prior knowledge", { protocol: "h2" }],
    ["beside HTTP/1.1 on one port without TLS", { protocol: "both" }],
    ["over TLS", { protocol: "both", tls: true }]
  ] as const)("speaks HTTP/2 %s, with the limit of streams that it was given", async (_, options) => {
    const sandbox = await start({ ...options, maxStreams: 7 })
    const session = connect2(sandbox.origin, { ca: sandbox.ca })
    const settings = new Promise<http2.Settings>((resolve) => session.on("remoteSettings", resolve))
    const answers = await Promise.all(Array.from({ length: 7 }, () => raw2(session, CHAT)))
    assert.deepEqual(
      answers.map((answer) => answer.end),
      Array.from({ length: 7 }, () => "end")
    )
    assert.strictEqual(new Set(answers.map((answer) => answer.headers["x-request-id"])).size, 7)
    assert.strictEqual((await settings).maxConcurrentStreams, 7)
    const stats = sandbox.stats()
    assert.deepInclude(stats.byConnection[0], { protocol: "h2", tls: sandbox.origin.startsWith("https"), requests: 7 })
    assert.strictEqual(stats.connections.total, 1)
  })

  it("speaks HTTP/1.1 on the same port as HTTP/2 without TLS", async () => {
    const sandbox = await start({})
    const answer = await raw1(sandbox.port, CHAT)
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(sandbox.stats().byConnection[0]?.protocol, "http/1.1")
  })

  it("offers over ALPN only the configured protocols", async () => {
    const sandbox = await start({ tls: true, protocol: "http/1.1" })
    const socket = tls.connect({ port: sandbox.port, ca: sandbox.ca, ALPNProtocols: ["h2", "http/1.1"] })
    open.push(() => socket.destroy())
    await new Promise((resolve) => socket.once("secureConnect", resolve))
    assert.strictEqual(socket.alpnProtocol, "http/1.1")
    const session = connect2(sandbox.origin, { ca: sandbox.ca })
    await expect(new Promise((_, reject) => session.on("error", reject))).rejects.toThrow()
  })

  it("asks for a client's certificate, and refuses those without", async () => {
    const sandbox = await start({ tls: true, requestClientCert: true })
    const known = connect2(sandbox.origin, { ca: sandbox.ca, ...sandbox.clientCertificate })
    assert.strictEqual((await raw2(known, CHAT)).status, 200)
    assert.strictEqual(sandbox.stats().byConnection[0]?.clientName, "clientele-testing-client")
    const unknown = connect2(sandbox.origin, { ca: sandbox.ca })
    await expect.poll(() => unknown.destroyed, { timeout: 30_000 }).toBe(true)
    assert.strictEqual(sandbox.stats().requests, 1)
  })

  it("sees the code that an HTTP/2 client aborts with", async () => {
    const sandbox = await start({ latency: "1 minute" })
    const session = connect2(sandbox.origin)
    const request = session.request({ ":method": "POST", ":path": "/v1/chat/completions" })
    request.on("error", () => {})
    request.end(CHAT)
    await expect.poll(() => sandbox.stats().inFlight, { timeout: 30_000 }).toBe(1)
    request.close(http2.constants.NGHTTP2_CANCEL)
    await expect.poll(() => sandbox.stats().aborts, { timeout: 30_000 }).toBe(1)
    assert.deepEqual([...sandbox.stats().abortCodes], [[8, 1]])
  })

  it("survives thousands of aborts on one session", async () => {
    const sandbox = await start({ latency: 20, maxStreams: 4000 })
    const session = connect2(sandbox.origin)
    await new Promise((resolve) => session.on("remoteSettings", resolve))
    for (let i = 0; i < 3000; i++) {
      const request = session.request({ ":method": "POST", ":path": "/v1/chat/completions" })
      request.on("error", () => {})
      request.end(CHAT)
      setImmediate(() => request.close(8))
    }
    assert.strictEqual((await raw2(session, CHAT)).end, "end")
    assert.strictEqual(sandbox.stats().connections.total, 1)
  })

  it("releases an HTTP/2 client that vanished silently, and no other", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    open.push(() => vi.useRealTimers())
    const { ca, origin, port, stats } = await start({ protocol: "h2", tls: true })
    const gone = tls.connect({ port, host: "127.0.0.1", ca, servername: "localhost", ALPNProtocols: ["h2"] })
    const ended = new Promise((resolve) => gone.once("close", resolve))
    gone.on("error", () => {})
    // A preface and SETTINGS; then it says nothing any more, not even to a ping.
    gone.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"))
    const there = http2.connect(origin, { ca })
    open.push(() => there.destroy())
    let pings = 0
    there.on("ping", () => pings++)
    // From when it has sent its own SETTINGS the server counts the time of a connection.
    await Promise.all([once(gone, "data"), once(there, "remoteSettings")])
    assert.strictEqual(stats().connections.open, 2)
    for (const asked of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(20_000)
      await until(() => pings === asked)
    }
    await ended
    await until(() => stats().connections.open === 1)
    assert.isFalse(there.destroyed)
  })

  it("survives bytes that are not a request", async () => {
    const sandbox = await start({})
    const bodies = ["", "{", "[]", "null", `{"model":"m","messages":${"[".repeat(50_000)}${"]".repeat(50_000)}}`]
    for (const body of bodies)
      assert.strictEqual(
        (await raw1(sandbox.port, body, { connection: "close" }, 5000)).status,
        body.length > 99 ? 200 : 400
      )
    const socket = net.connect(sandbox.port, "127.0.0.1")
    socket.on("error", () => {})
    socket.write("\u0000\u0001\u0002 nonsense\r\n\r\n")
    await new Promise((resolve) => socket.on("close", resolve))
    assert.strictEqual((await fetch(`${sandbox.origin}/openai/deployments/%zz/x`)).status, 404)
  })
})

/** Headers of an answer about its date and about limits. */
const limits = (answer: Answer) =>
  Object.fromEntries(Object.entries(answer.headers).filter(([name]) => /^(date$|retry|x-ratelimit)/i.test(name)))

describe("faults", () => {
  it("status: any status, body and header, else the provider's error", async () => {
    const sandbox = await start({ faults: [{ times: 1, fault: { type: "status", status: 503 } }] })
    const own = await raw1(sandbox.port, CHAT)
    assert.strictEqual(own.status, 503)
    assert.strictEqual(JSON.parse(own.body).error.type, "server_error")
    sandbox.faults.push({ fault: { type: "status", status: 418, body: "tea", headers: { "X-Pot": "1" } } })
    assert.deepInclude(await raw1(sandbox.port, CHAT), { status: 418, body: "tea" })
  })

  it("status: the headers that it is given, and no others of limits", async () => {
    const given = {
      "retry-after": "7",
      "retry-after-ms": "6500",
      date: "Thu, 01 Jan 1970 00:00:00 GMT",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "6m0s"
    }
    const sandbox = await start({
      rateLimit: { requestsPerMinute: 1 },
      faults: [{ fault: { type: "status", status: 429, headers: given } }]
    })
    // The second is one that the sandbox's own limit refuses as well.
    assert.deepEqual(limits(await raw1(sandbox.port, CHAT, CLOSE)), given)
    assert.deepEqual(limits(await raw2(connect2(sandbox.origin), CHAT)), given)
  })

  it("status: an account without money, in each provider's words", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "status", status: 429, code: "insufficient_quota" } }] })
    const error = async (headers: Record<string, string>) => {
      const answer = await raw1(sandbox.port, CHAT, { ...CLOSE, ...headers })
      return [answer.status, JSON.parse(answer.body)]
    }
    const message =
      "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    const openai = { error: { message, type: "insufficient_quota", param: null, code: "insufficient_quota" } }
    assert.deepEqual(await error({}), [429, openai])
    assert.deepEqual(await error({ "x-sandbox-provider": "azure" }), [
      429,
      { error: { code: "insufficient_quota", message } }
    ])
    sandbox.faults.replace([])
    assert.deepEqual(await error({ "x-sandbox-fault": "status=429,insufficient_quota" }), [429, openai])
  })

  it("status: for all who come, until the rules are replaced", async () => {
    const sandbox = await start({})
    const session = connect2(sandbox.origin)
    const statuses = async () =>
      (await Promise.all([1, 2, 3].map(() => raw2(session, CHAT)))).map((answer) => answer.status)
    assert.deepEqual(await statuses(), [200, 200, 200])
    sandbox.faults.replace([{ fault: { type: "status", status: 503, headers: { "retry-after": "1" } } }])
    assert.deepEqual(await statuses(), [503, 503, 503])
    sandbox.faults.replace([])
    assert.deepEqual(await statuses(), [200, 200, 200])
  })

  it("headers: an answer as it would be, plain or streamed, with these headers", async () => {
    const sandbox = await start({})
    const bodies = async () =>
      [await raw1(sandbox.port, CHAT, CLOSE), await raw2(connect2(sandbox.origin), STREAM)] as const
    const before = await bodies()
    const headers = { "X-RateLimit-Remaining-Requests": "0", "x-ratelimit-reset-requests": "1.5s", "x-more": "1" }
    sandbox.faults.replace([{ fault: { type: "headers", headers } }])
    const after = await bodies()
    for (const [i, answer] of after.entries()) {
      assert.deepInclude(answer.headers, {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1.5s",
        "x-more": "1",
        "x-ratelimit-limit-requests": before[i]?.headers["x-ratelimit-limit-requests"]
      })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.body.length, before[i]?.body.length)
    }
  })

  it("resetBeforeHeaders: nothing, then a closed socket or RST_STREAM with the code", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "resetBeforeHeaders", code: 7 } }] })
    assert.deepInclude(await raw1(sandbox.port, CHAT), { status: undefined, end: "closed" })
    assert.deepInclude(await raw2(connect2(sandbox.origin), CHAT), { status: undefined, end: "RST 7" })
    assert.strictEqual(sandbox.stats().aborts, 0)
    assert.strictEqual(sandbox.stats().faults, 2)
  })

  it("resetMidBody: so many bytes or events, then the cut", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "resetMidBody", afterBytes: 20, code: 8 } }] })
    for (const answer of [await raw1(sandbox.port, CHAT), await raw2(connect2(sandbox.origin), CHAT)]) {
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.body.length, 20)
      assert.include(["closed", "RST 8"], answer.end)
    }
    sandbox.faults.replace([{ fault: { type: "resetMidBody", afterChunks: 3 } }])
    const streamed = await raw2(connect2(sandbox.origin), STREAM)
    assert.strictEqual(streamed.body.split("\n\n").length - 1, 3)
    assert.strictEqual(streamed.end, "RST 2")
  })

  it("resetMidBody: never sends END_STREAM before RST_STREAM, whatever the code", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "resetMidBody", afterBytes: 20, code: 0 } }] })
    assert.deepEqual(await frames(sandbox.port), ["1:4", "0:0", "3:0:0"])
  })

  it("stall: silence before the headers or in the body, for a while or for good", async () => {
    const sandbox = await start({ faults: [{ times: 1, fault: { type: "stall", at: "headers" } }] })
    assert.deepInclude(await raw1(sandbox.port, CHAT, {}, 300), { status: undefined, end: "silence" })
    sandbox.faults.replace([{ times: 1, fault: { type: "stall", at: "body", afterBytes: 5 } }])
    const body = await raw2(connect2(sandbox.origin), CHAT, {}, 300)
    assert.deepInclude(body, { status: 200, end: "silence" })
    assert.strictEqual(body.body.length, 5)
    sandbox.faults.replace([{ times: 1, fault: { type: "stall", at: "body", afterBytes: 5, ms: 30 } }])
    const late = await raw2(connect2(sandbox.origin), CHAT)
    assert.strictEqual(late.end, "end")
    assert.isObject(JSON.parse(late.body))
  })

  it("garbage: invalid JSON, or invalid HTTP", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "garbage", what: "json" } }] })
    const answer = await raw1(sandbox.port, CHAT)
    assert.strictEqual(answer.status, 200)
    assert.throws(() => JSON.parse(answer.body))
    sandbox.faults.replace([{ fault: { type: "garbage", what: "protocol" } }])
    assert.deepInclude(await raw1(sandbox.port, CHAT), { status: undefined, end: "closed" })
    const session = connect2(sandbox.origin)
    const failed = new Promise<unknown>((resolve) => session.on("error", resolve))
    void raw2(session, CHAT)
    assert.match(String(await failed), /protocol|frame|size/i)
  })

  it("slowDrip: the whole body in small pieces", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "slowDrip", bytes: 100, every: 5 } }] })
    const answer = await raw2(connect2(sandbox.origin), CHAT)
    assert.strictEqual(answer.end, "end")
    assert.isObject(JSON.parse(answer.body))
    assert.isAtLeast(sandbox.stats().log[0]?.duration ?? 0, 15)
  })

  it("truncate: less than Content-Length promises", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "truncate", missing: 33 } }] })
    const answer = await raw1(sandbox.port, CHAT)
    assert.strictEqual(Number(answer.headers["content-length"]) - answer.body.length, 33)
    assert.strictEqual(answer.end, "closed")
    assert.match((await raw2(connect2(sandbox.origin), CHAT)).end, /^RST/)
  })

  it("goAway: an answer, and the end of the connection", async () => {
    const sandbox = await start({ faults: [{ fault: { type: "goAway" } }] })
    const session = connect2(sandbox.origin)
    const told = new Promise<number>((resolve) => session.on("goaway", resolve))
    assert.strictEqual((await raw2(session, CHAT)).end, "end")
    assert.strictEqual(await told, 0)
    const answer = await raw1(sandbox.port, CHAT)
    assert.deepInclude(answer, { status: 200, end: "closed" })
    assert.strictEqual(answer.headers["connection"], "close")
  })

  it.each([0, 2])("goAway with code %i: no connection is left when its answer is out", async (code) => {
    const sandbox = await start({ tls: true, protocol: "h2", faults: [{ fault: { type: "goAway", code } }] })
    const session = connect2(sandbox.origin, { ca: sandbox.ca })
    session.on("goaway", () => session.destroy())
    await raw2(session, CHAT)
    await until(() => sandbox.stats().connections.open === 0)
  })

  it("meets the requests that its rule matches, and no others", async () => {
    const fault = { type: "status", status: 500 } as const
    const sandbox = await start({
      faults: [
        { match: { model: "other" }, fault },
        { match: { apiKey: "a", nth: 2 }, fault },
        { match: { path: /embeddings/ }, fault },
        { match: { apiKey: "b", every: 2 }, times: 1, fault }
      ]
    })
    const statuses = async (key: string, count: number) => {
      const all: Array<number | undefined> = []
      for (let i = 0; i < count; i++) {
        all.push((await raw2(connect2(sandbox.origin), CHAT, { authorization: `Bearer ${key}` })).status)
      }
      return all
    }
    assert.deepEqual(await statuses("a", 3), [200, 500, 200])
    assert.deepEqual(await statuses("b", 4), [200, 500, 200, 200])
    assert.strictEqual(sandbox.faults.pending().length, 2)
    const other = CHAT.replace(`"m"`, `"other"`)
    assert.strictEqual((await raw1(sandbox.port, other)).status, 500)
  })

  it("can be set by a request's own headers", async () => {
    const sandbox = await start({})
    assert.strictEqual((await raw1(sandbox.port, CHAT, { "x-sandbox-fault": "status=503" })).status, 503)
    assert.strictEqual((await raw1(sandbox.port, CHAT, { "x-sandbox-fault": "truncate=5" })).end, "closed")
    assert.strictEqual((await raw1(sandbox.port, CHAT, { "x-sandbox-fault": "nonsense" })).status, 400)
    assert.strictEqual((await raw1(sandbox.port, CHAT, { "x-sandbox-latency": "60000" }, 300)).end, "silence")
  })
})

it("closes at once, whatever is open", async () => {
  // Without `close` neither the answer nor the closing would end: timers are fake.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  open.push(() => vi.useRealTimers())
  const sandbox = await start({ tls: true, latency: "1 minute" })
  const session = connect2(sandbox.origin, { ca: sandbox.ca })
  const pending = raw2(session, CHAT, {}, 60_000)
  await expect.poll(() => sandbox.stats().inFlight, { timeout: 30_000 }).toBe(1)
  await sandbox.close()
  await sandbox.close()
  assert.notStrictEqual((await pending).end, "end")
  assert.strictEqual(sandbox.stats().connections.open, 0)
  assert.strictEqual(sandbox.stats().inFlight, 0)
})
