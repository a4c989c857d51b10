/** Destinations of requests: hosts as they are named, addresses as they are dialled. */
import dns from "node:dns"
import * as http from "node:http"
import { syncBuiltinESMExports } from "node:module"
import * as net from "node:net"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { afterEach, assert, describe } from "vitest"
import type { CommonOptions } from "../../src/ClientConfig.ts"
import { OptionsError } from "../../src/ClientError.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const apiKey = Redacted.make("sk-CANARY")

const list = (baseURL: string, transport?: CommonOptions["transport"]) =>
  OpenAiClient.use({ apiKey, baseURL, transport }, (client) => client.models.list())

const within =
  (options: ClientLayer.Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(effect, ClientLayer.layer(options))

const facts = (error: object) => {
  const { _tag, attempts, field, processed, reason } = error as Readonly<Record<string, unknown>>
  return _tag === "OptionsError" ? { _tag, field } : { _tag, attempts, processed, reason }
}

const unsent = { _tag: "RequestError", attempts: 1, processed: "no", reason: "BadRequest" }

const not = (refused: string) => (address: string) => address !== refused

/** A proxy that counts who comes. */
const proxy = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{ readonly url: string; readonly asked: Array<string | undefined>; readonly close: () => void }>(
        (resolve) => {
          const asked: Array<string | undefined> = []
          const sockets: Array<net.Socket> = []
          const server = http.createServer().on("connection", (socket) => void sockets.push(socket))
          const close = () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
          server.on("connect", (request, client: net.Socket) => {
            asked.push(request.url)
            const upstream = net.connect(Number(request.url?.split(":").at(-1)), "127.0.0.1", () => {
              client.write("HTTP/1.1 200 OK\r\n\r\n")
              client.pipe(upstream).pipe(client)
            })
            for (const socket of [client, upstream]) socket.on("error", () => undefined)
            client.on("close", () => upstream.destroy())
            upstream.on("close", () => client.destroy())
          })
          server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as net.AddressInfo
            resolve({ url: `http://127.0.0.1:${port}`, asked, close })
          })
        }
      )
  ),
  ({ close }) => Effect.sync(close)
)

const original = dns.lookup
afterEach(() => {
  dns.lookup = original
  syncBuiltinESMExports()
})

/** A name server that changes its mind: each lookup gets the next list of addresses, the last for ever. */
const resolveTo = (...answers: ReadonlyArray<ReadonlyArray<string>>): { asked: number } => {
  const count = { asked: 0 }
  const fake = (_: string, options: dns.LookupAllOptions | object, done: (...args: Array<unknown>) => void) => {
    const answer = answers[Math.min(count.asked++, answers.length - 1)]!
    const all = answer.map((address) => ({ address, family: net.isIP(address) }))
    setImmediate(() =>
      "all" in options && options.all === true ? done(null, all) : done(null, all[0]!.address, all[0]!.family)
    )
  }
  dns.lookup = fake as unknown as typeof dns.lookup
  syncBuiltinESMExports()
  return count
}

describe("publicAddress", () => {
  const inner = [
    ..."0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.0.1 168.63.129.16".split(
      " "
    ),
    ..."169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.168.0.1 198.18.0.1".split(" "),
    ..."198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255".split(" "),
    ...":: ::1 fe80::1 fe80::1%eth0 febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 100::1 2001:db8::1 2001::1".split(
      " "
    ),
    ..."2001:10::1 3fff::1 5f00::1 64:ff9b:1::1".split(" "),
    ..."::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:169.254.169.254 0:0:0:0:0:ffff:a00:1 ::127.0.0.1".split(" "),
    ..."64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 2002:7f00:1::1 2002:a9fe:a9fe::".split(" "),
    ..."localhost 2130706433 0x7f.1 300.1.1.1 1.2.3".split(" "),
    ""
  ]
  for (const address of inner) {
    it(`is false for ${address === "" ? "nothing" : address}`, () => {
      assert.isFalse(ClientLayer.publicAddress(address))
    })
  }

  const outer = [
    ..."1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0".split(" "),
    ..."172.15.255.255 172.32.0.0 169.253.255.255 169.255.0.0 192.167.255.255 192.169.0.0 223.255.255.255".split(" "),
    ..."2606:4700::6810:85e5 2a00:1450:4001::1 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1".split(
      " "
    )
  ]
  for (const address of outer) {
    it(`is true for ${address}`, () => {
      assert.isTrue(ClientLayer.publicAddress(address))
    })
  }

  it("gives the same for IPv4 in each of its IPv6 forms, and never throws", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number)
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        const plain = ClientLayer.publicAddress(address)
        for (const wrapped of [`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`]) {
          assert.strictEqual(ClientLayer.publicAddress(wrapped), plain, wrapped)
        }
      })
    )
    fc.assert(fc.property(fc.oneof(fc.ipV6(), fc.string()), (text) => void ClientLayer.publicAddress(text)))
  })
})

describe("allowAddress", () => {
  it.live("refuses hosts that are addresses, in each spelling of them, before anything is sent", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const { port } = sandbox
      const asked: Array<string> = []
      const refuse = within({
        allowAddress: (address, host) => {
          asked.push(address)
          return ClientLayer.publicAddress(address) && host !== ""
        }
      })
      for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]"]) {
        const error = yield* Effect.flip(refuse(list(`http://${host}:${port}/v1`)))
        assert.deepStrictEqual(facts(error), unsent, host)
        assert.include(error.message, "allowAddress")
        assert.strictEqual(asked.pop(), host === "[::1]" ? "::1" : host === "0.0.0.0" ? host : "127.0.0.1")
      }
      assert.strictEqual(sandbox.stats().connections.total, 0)
    }).pipe(Effect.scoped)
  )

  for (const tls of [false, true]) {
    it.live(`refuses the address of a name, over ${tls ? "TLS" : "plain HTTP"}, and names both`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ tls })
        const asked: Array<readonly [string, string]> = []
        const baseURL = `${tls ? "https" : "http"}://localhost:${sandbox.port}/v1`
        const error = yield* Effect.flip(
          within({
            allowAddress: (address, host) => {
              asked.push([address, host])
              return ClientLayer.publicAddress(address)
            }
          })(list(baseURL, { ca: sandbox.ca }))
        )
        assert.deepStrictEqual(facts(error), unsent)
        assert.include(error.message, "localhost resolves only to")
        assert.isAbove(asked.length, 0)
        for (const [address, host] of asked) {
          assert.include(["127.0.0.1", "::1"], address)
          assert.strictEqual(host, "localhost")
        }
        assert.strictEqual(sandbox.stats().connections.total, 0)
        yield* within({ allowAddress: (address) => address === "127.0.0.1" })(list(baseURL, { ca: sandbox.ca }))
        assert.strictEqual(sandbox.stats().requests, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.live("gets a name without the final dot of a full one, as allowHost does", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      resolveTo(["127.0.0.1"])
      const hosts: Array<string> = []
      const note = (host: string) => hosts.push(host) > 0
      const allow = within({ allowHost: note, allowAddress: (_, host) => note(host) })
      yield* allow(list(`http://api.test.:${sandbox.port}/v1`))
      assert.deepStrictEqual([...new Set(hosts)], ["api.test"])
      const refuse = within({ allowHost: (host) => !host.endsWith(".internal") })
      const error = yield* Effect.flip(refuse(list(`http://vault.internal.:${sandbox.port}/v1`)))
      assert.deepStrictEqual(facts(error), { _tag: "OptionsError", field: "baseURL" })
    }).pipe(Effect.scoped)
  )

  it.live("and allowHost allow by true alone: a promise of false is no yes", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const no = (async () => false) as unknown as () => boolean
      const baseURL = `http://127.0.0.1:${sandbox.port}/v1`
      assert.deepStrictEqual(facts(yield* Effect.flip(within({ allowAddress: no })(list(baseURL)))), unsent)
      assert.deepStrictEqual(facts(yield* Effect.flip(within({ allowHost: no })(list(baseURL)))), {
        _tag: "OptionsError",
        field: "baseURL"
      })
      assert.strictEqual(sandbox.stats().connections.total, 0)
    }).pipe(Effect.scoped)
  )

  it.live("dials those alone of a name's addresses that are allowed", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      resolveTo(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
      const other = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<{ readonly server: net.Server; readonly seen: Array<unknown> }>((resolve) => {
              const seen: Array<unknown> = []
              const server = net.createServer((socket) => void seen.push(socket.destroy()))
              server.listen(sandbox.port, "127.0.0.2", () => resolve({ server, seen }))
            })
        ),
        ({ server }) => Effect.sync(() => server.close())
      )
      yield* within({ allowAddress: (address) => address === "127.0.0.1" })(list(`http://api.test:${sandbox.port}/v1`))
      assert.strictEqual(sandbox.stats().requests, 1)
      assert.strictEqual(other.seen.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("checks the address that is dialled: a name with another address the next time is refused then", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const count = resolveTo(["127.0.0.1"], ["169.254.169.254"])
      const baseURL = `http://rebinding.test:${sandbox.port}/v1`
      yield* list(baseURL, { keepAlive: 1, maxConnections: 1 })
      const error = yield* Effect.flip(Effect.zipRight(Effect.sleep(100), list(baseURL, { isolation: "client" })))
      assert.deepStrictEqual(facts(error), unsent)
      assert.include(error.message, "169.254.169.254")
      // One lookup for one connection: none before it, of which the result could differ.
      assert.strictEqual(count.asked, 2)
      assert.strictEqual(sandbox.stats().requests, 1)
    }).pipe(within({ allowAddress: (address) => address === "127.0.0.1" }), Effect.scoped)
  )

  it.live("refuses if it throws, with the thrown error as a cause", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      for (const host of ["127.0.0.1", "localhost"]) {
        const error = yield* Effect.flip(list(`http://${host}:${sandbox.port}/v1`))
        assert.deepStrictEqual(facts(error), unsent)
        assert.include(error.message, "allowAddress threw")
      }
      assert.strictEqual(sandbox.stats().connections.total, 0)
    }).pipe(
      within({
        allowAddress: () => {
          throw new Error("odd")
        }
      }),
      Effect.scoped
    )
  )

  it.live("checks a proxy's address too, and a host behind it that is an address", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const tunnel = yield* proxy
      const transport = { proxy: tunnel.url }
      const baseURL = `http://127.0.0.9:${sandbox.port}/v1`
      for (const allowAddress of [not("127.0.0.1"), not("127.0.0.9")]) {
        assert.deepStrictEqual(facts(yield* Effect.flip(within({ allowAddress })(list(baseURL, transport)))), unsent)
      }
      assert.deepStrictEqual(tunnel.asked, [])
      yield* within({ allowAddress: not("127.0.0.9") })(list(`http://api.test:${sandbox.port}/v1`, transport))
      assert.deepStrictEqual(tunnel.asked, [`api.test:${sandbox.port}`])
    }).pipe(Effect.scoped)
  )

  it.live("lets through what it allows, and does not matter where it is absent", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tls: true })
      for (const options of [{}, { allowAddress: () => true, allowHost: () => true }]) {
        yield* within(options)(list(sandbox.baseURL("openai"), { ca: sandbox.ca }))
      }
      assert.strictEqual(sandbox.stats().requests, 2)
    }).pipe(Effect.scoped)
  )
})

describe("allowHost", () => {
  it.live("makes a config whose host is refused an OptionsError, and nothing is built or dialled", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make()
      const asked: Array<readonly [string, number]> = []
      const tunnel = yield* proxy
      const refuse = within({
        allowHost: (host, port) => {
          asked.push([host, port])
          return host !== "127.0.0.1" && host !== "::1"
        }
      })
      const { port } = sandbox
      for (const [host, name] of [
        ["127.0.0.1", "127.0.0.1"],
        ["0x7f000001", "127.0.0.1"],
        ["[::1]", "::1"],
        ["127.0.0.1.", "127.0.0.1"]
      ] as const) {
        const error = yield* Effect.flip(refuse(list(`http://${host}:${port}/v1`)))
        assert.deepStrictEqual(facts(error), { _tag: "OptionsError", field: "baseURL" })
        assert.deepStrictEqual(asked.splice(0), [[name, port]])
      }
      const through = yield* Effect.flip(refuse(list("https://API.Example/v1", { proxy: tunnel.url })))
      assert.deepStrictEqual(facts(through), { _tag: "OptionsError", field: "transport.proxy" })
      assert.deepStrictEqual(asked[0], ["api.example", 443])
      const odd = within({
        allowHost: () => {
          throw new Error("odd")
        }
      })
      assert.deepStrictEqual(facts(yield* Effect.flip(odd(list(sandbox.baseURL("openai"))))), {
        _tag: "OptionsError",
        field: "baseURL"
      })
      assert.strictEqual(sandbox.stats().connections.total, 0)
      assert.deepStrictEqual(tunnel.asked, [])
    }).pipe(Effect.scoped)
  )
})

describe("clients without Effect", () => {
  it("are refused by allowHost when they are made", async () => {
    await using clients = makeClients({ allowHost: (host) => host === "api.example" })
    const options = { apiKey: "sk-test", baseURL: "https://evil.example/v1" }
    for (const get of [() => getOpenAIClient(options, clients), () => clients.getFetch(options)]) {
      assert.throws(get, OptionsError, "baseURL is at evil.example")
    }
    assert.doesNotThrow(() => getOpenAIClient({ ...options, baseURL: "https://api.example" }, clients))
  })

  it("are held to allowAddress, in the SDK's own class of errors", async () => {
    await using sandbox = await Sandbox.start()
    await using clients = makeClients({ allowAddress: ClientLayer.publicAddress })
    const client = getOpenAIClient({ apiKey: "sk-test", baseURL: sandbox.baseURL("openai") }, clients)
    const error = await client.models.list().then(
      () => undefined,
      (error: unknown) => error as Error & { readonly reason?: string }
    )
    assert.strictEqual(error?.constructor.name, "APIConnectionError")
    assert.strictEqual(error?.reason, "BadRequest")
    assert.include(error?.message, "allowAddress")
    assert.strictEqual(sandbox.stats().connections.total, 0)
  })

  it("in a runtime whose layer refuses a host fail by its OptionsError, unsent", async () => {
    await using sandbox = await Sandbox.start()
    const runtime = ManagedRuntime.make(ClientLayer.layer({ allowHost: (host) => host !== "127.0.0.1" }))
    try {
      const client = getOpenAIClient(
        { apiKey: "sk-test", baseURL: sandbox.baseURL("openai") },
        makeClients({ runtime })
      )
      const error = await client.models.list().then(
        () => undefined,
        (error: unknown) => error as Error
      )
      assert.instanceOf(error?.cause, OptionsError)
      assert.strictEqual(sandbox.stats().connections.total, 0)
    } finally {
      await runtime.dispose()
    }
  })

  it("are not made with a fetch of their own, which would go around both", () => {
    for (const options of [{ allowHost: () => true }, { allowAddress: () => true }]) {
      const clients = makeClients(options)
      assert.throws(() => getOpenAIClient({ apiKey: "sk-test", fetch: globalThis.fetch }, clients), OptionsError)
    }
    assert.doesNotThrow(() => getOpenAIClient({ apiKey: "sk-test", fetch: globalThis.fetch }, makeClients()))
  })

  it("name an option that is not a function", () => {
    for (const field of ["allowHost", "allowAddress"]) {
      for (const value of [true, "public", null, ["api.example"]]) {
        assert.throws(() => makeClients({ [field]: value } as ClientLayer.Options), OptionsError, field)
      }
    }
  })
})

describe("plain HTTP", () => {
  it.live("logs one warning for each origin, unless it stays on this machine", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          // A busy machine is warned of in other words.
          if (/clear text/.test(String(message))) lines.push(`${logLevel.label} ${String(message)}`)
        })
      )
      const sandbox = yield* Sandbox.make()
      const tunnel = yield* proxy
      resolveTo(["127.0.0.1"])
      const { port } = sandbox
      const run = within({ idleTimeToLive: 0 })
      yield* Effect.provide(
        run(
          Effect.gen(function* () {
            for (const host of ["127.0.0.1", "localhost", "api.localhost"]) yield* list(`http://${host}:${port}/v1`)
            assert.deepStrictEqual(lines, [])
            // Each is built anew: nothing is idle for long.
            for (const key of ["sk-a", "sk-b"]) {
              yield* OpenAiClient.use({ apiKey: Redacted.make(key), baseURL: `http://api.test:${port}/v1` }, (client) =>
                client.models.list()
              )
            }
            yield* list(`http://other.test:${port}/v1`, { proxy: tunnel.url })
          })
        ),
        logger
      )
      assert.strictEqual(lines.length, 2, lines.join("\n"))
      assert.match(lines[0]!, /^WARN http:\/\/api\.test:\d+: .*clear text/)
      assert.match(lines[1]!, /^WARN http:\/\/other\.test:/)
      assert.notInclude(lines.join(""), "sk-")
    }).pipe(Effect.scoped)
  )
})
