/** `proxy: "env"`. */
import { execFile } from "node:child_process"
import * as http from "node:http"
import * as net from "node:net"
import { it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { inspect, promisify } from "node:util"
import { afterEach, assert, describe } from "vitest"
import * as ClientConfig from "../src/ClientConfig.ts"
import * as specs from "../src/internal/config/specs.ts"
import { getFetch, makeClients } from "../src/Promise.ts"
import * as Sandbox from "../src/testing/Sandbox.ts"

const apiKey = Redacted.make("sk-test")

const made = (env: Readonly<Record<string, string>>, baseURL: string, proxy: string | undefined = "env") =>
  ClientConfig.make(specs.openai, { apiKey, baseURL, transport: { proxy } }).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
  )

/** The proxy of a config, in the open. */
const proxyOf = (env: Readonly<Record<string, string>>, baseURL: string): string | undefined => {
  const { proxy } = Effect.runSync(made(env, baseURL)).transport
  return proxy === undefined ? undefined : Redacted.value(proxy)
}

const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "REQUEST_METHOD"]

describe("the environment's proxy", () => {
  it("is that of the address's scheme, lower case before upper", () => {
    const both = { HTTP_PROXY: "http://plain:1", HTTPS_PROXY: "http://secure:2" }
    assert.strictEqual(proxyOf(both, "http://api.example/v1"), "http://plain:1")
    assert.strictEqual(proxyOf(both, "https://api.example/v1"), "http://secure:2")
    assert.strictEqual(proxyOf({ HTTP_PROXY: "http://plain:1" }, "https://api.example"), undefined)
    assert.strictEqual(proxyOf({ ...both, https_proxy: "http://lower:3" }, "https://api.example"), "http://lower:3")
    assert.strictEqual(proxyOf({ ...both, http_proxy: "http://lower:3" }, "http://api.example"), "http://lower:3")
    assert.strictEqual(proxyOf({ HTTPS_PROXY: " " }, "https://api.example"), undefined)
    assert.strictEqual(proxyOf({}, "https://api.example"), undefined)
  })

  it("may have no scheme, and a user and password", () => {
    assert.strictEqual(proxyOf({ HTTPS_PROXY: "proxy.corp:3128/" }, "https://a.example"), "http://proxy.corp:3128")
    assert.strictEqual(
      proxyOf({ HTTPS_PROXY: "me:pw@proxy.corp:3128" }, "https://a.example"),
      "http://me:pw@proxy.corp:3128"
    )
    assert.strictEqual(proxyOf({ HTTPS_PROXY: "https://proxy.corp" }, "https://a.example"), "https://proxy.corp")
  })

  it("is not taken from the request headers of a CGI program", () => {
    const cgi = { HTTP_PROXY: "http://evil:1", REQUEST_METHOD: "GET" }
    assert.strictEqual(proxyOf(cgi, "http://api.example"), undefined)
    assert.strictEqual(proxyOf({ ...cgi, http_proxy: "http://mine:1" }, "http://api.example"), "http://mine:1")
    assert.strictEqual(proxyOf({ ...cgi, HTTPS_PROXY: "http://mine:1" }, "https://api.example"), "http://mine:1")
  })

  const exceptions: ReadonlyArray<readonly [list: string, baseURL: string, without: boolean]> = [
    ["*", "https://api.example", true],
    ["api.example", "https://api.example", true],
    ["api.example", "https://eu.api.example", true],
    ["api.example", "https://notapi.example", false],
    [".api.example", "https://api.example", true],
    [".api.example", "https://eu.api.example", true],
    ["*.api.example", "https://eu.api.example", true],
    ["API.Example.", "https://api.example", true],
    ["other, api.example ,third", "https://api.example", true],
    ["other api.example", "https://api.example", true],
    ["api.example:8443", "https://api.example", false],
    ["api.example:8443", "https://api.example:8443", true],
    ["api.example:443", "https://api.example", true],
    ["10.1.2.3", "https://10.1.2.3", true],
    ["2.3", "https://10.1.2.3", false],
    ["10.0.0.0/8", "https://10.1.2.3", false],
    ["[::1]", "https://[::1]", true],
    ["::1", "https://[::1]:8443", true],
    ["0:0:0:0:0:0:0:1", "https://[::1]", true],
    ["[::1]:8443", "https://[::1]:8443", true],
    ["[::1]:8443", "https://[::1]", false],
    [".", "https://api.example", false],
    [",", "https://api.example", false],
    ["", "https://api.example", false]
  ]
  for (const [list, baseURL, without] of exceptions) {
    it(`is ${without ? "not used" : "used"} for ${baseURL} where NO_PROXY is "${list}"`, () => {
      const expected = without ? undefined : "http://proxy:1"
      assert.strictEqual(proxyOf({ HTTPS_PROXY: "http://proxy:1", NO_PROXY: list }, baseURL), expected)
      assert.strictEqual(
        proxyOf({ HTTPS_PROXY: "http://proxy:1", no_proxy: list, NO_PROXY: "*" }, baseURL),
        list === "" ? undefined : expected
      )
    })
  }

  it("is part of the key as it was found", () => {
    const key = (env: Readonly<Record<string, string>>, proxy?: string) =>
      Effect.runSync(made(env, "https://api.example", proxy))
    const said = key({}, "http://me:pw@proxy:1")
    assert.strictEqual(key({ HTTPS_PROXY: "http://me:pw@proxy:1/" }), said)
    assert.notStrictEqual(key({ HTTPS_PROXY: "http://me:other@proxy:1" }), said)
    assert.strictEqual(key({}), Effect.runSync(made({}, "https://api.example", undefined)))
    assert.notInclude(inspect(said, { depth: 10, showHidden: true }), "pw")
  })

  it("that can't be used is named by its variable, and not repeated", () => {
    for (const value of [
      "socks5://me:canary@proxy:1",
      "http://me:canary@proxy/path",
      "http://me:can%ary@proxy",
      "http://"
    ]) {
      const error = Either.getOrThrow(
        Either.flip(Effect.runSync(Effect.either(made({ https_proxy: value }, "https://api.example"))))
      )
      assert.strictEqual(error.field, "https_proxy")
      assert.notInclude(inspect(error, { depth: 10, showHidden: true }), "can")
    }
  })
})

const door = new URL("../src/Promise.ts", import.meta.url).href

/** A request of Node's fetch, and one of ours, in a process with a proxy at which no server listens. */
const script = (baseURL: string): string => `
  import { makeClients } from ${JSON.stringify(door)}
  const options = { apiKey: "sk-test", baseURL: "${baseURL}" }
  const headers = { authorization: "Bearer sk-test" }
  const status = (fetch) => fetch("${baseURL}/models", { headers }).then(({ status }) => status, () => "no proxy")
  console.log(await status(fetch), await status(makeClients().getFetch(options)))
  process.exit(0)
`

describe("Node's own use of the environment's proxy", () => {
  it("has no part in requests of ours", async () => {
    await using sandbox = await Sandbox.start()
    const node = ["--no-warnings", "--input-type=module", "-e", script(sandbox.baseURL("openai"))]
    const env = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: "http://127.0.0.1:1", NO_PROXY: "" }
    const { stdout } = await promisify(execFile)(process.execPath, node, {
      env: { ...process.env, ...env, no_proxy: "" }
    })
    const [its = "", ours] = stdout.trim().split(/ (?=\d+$)/)
    assert.strictEqual(ours, "200")
    // Else the variables would do nothing in any case.
    const [major = 0] = process.versions.node.split(".").map(Number)
    if (major >= 24) assert.strictEqual(its, "no proxy")
  })
})

describe("clients without Effect", () => {
  const before = { ...process.env }
  afterEach(() => {
    for (const name of names) delete process.env[name]
    Object.assign(process.env, before)
  })

  it("go through the environment's proxy as it is when they are made", async () => {
    for (const name of names) delete process.env[name]
    await using sandbox = await Sandbox.start()
    await using clients = makeClients()
    const asked: Array<string | undefined> = []
    const proxy = http.createServer()
    proxy.on("connect", (request, client: net.Socket) => {
      asked.push(request.headers["proxy-authorization"])
      const upstream = net.connect(sandbox.port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n")
        client.pipe(upstream).pipe(client)
      })
      for (const [one, other] of [
        [client, upstream],
        [upstream, client]
      ] as const) {
        one.on("error", () => undefined)
        one.on("close", () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
    try {
      const { port } = proxy.address() as net.AddressInfo
      const options = {
        apiKey: "sk-test",
        baseURL: sandbox.baseURL("openai"),
        transport: { proxy: "env" }
      } as const
      const get = async () => {
        const fetch = clients.getFetch(options)
        const headers = { authorization: "Bearer sk-test" }
        assert.strictEqual((await fetch(`${options.baseURL}/models`, { headers })).status, 200)
        return fetch
      }
      const direct = await get()
      assert.deepStrictEqual(asked, [])
      process.env["HTTP_PROXY"] = `me:pw@127.0.0.1:${port}`
      const through = await get()
      assert.deepStrictEqual(asked, [`Basic ${Buffer.from("me:pw").toString("base64")}`])
      assert.notStrictEqual(through, direct)
      process.env["NO_PROXY"] = "127.0.0.1"
      assert.strictEqual(await get(), direct)
      process.env["HTTP_PROXY"] = "socks5://canary"
      delete process.env["NO_PROXY"]
      assert.throws(() => getFetch(options), /HTTP_PROXY/)
    } finally {
      proxy.close()
      proxy.closeAllConnections()
    }
  })
})
