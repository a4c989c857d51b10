import { assert, describe, it } from "vitest"
import { transport } from "../../../src/internal/config/transport.ts"
import { anyRuntime, type FetchRuntime } from "../../../src/internal/transport/runtime/runtime.ts"
import { unsupportedLayer, unsupportedTransport } from "../../../src/internal/transport/runtime/unsupported.ts"
import { certificate } from "../../../src/internal/sandbox/certificate.ts"

const runtime = (routes: boolean): FetchRuntime => ({
  ...anyRuntime("Test 1.0"),
  maxRequests: 256,
  maxRequestsVariable: "MAX",
  routes
})

const at = { provider: "openai", field: "transport" }
const settings = (input?: object) => transport(at, input, () => undefined)

const refused = (input: object, routes = false): string | undefined =>
  unsupportedTransport(runtime(routes), settings(input), settings())?.field

const layer = (maxSockets: number, allowAddress?: () => boolean) =>
  unsupportedLayer(runtime(false), { maxSockets, allowAddress })

describe("with a runtime's own fetch", () => {
  it("unsupported options are refused by name, and their defaults are not", () => {
    assert.strictEqual(refused({}), undefined)
    assert.strictEqual(refused({ keepAlive: "60 seconds", connectTimeout: 10_000, http2: true }), undefined)
    assert.strictEqual(refused({ keepAlive: 1_000 }), "keepAlive")
    assert.strictEqual(refused({ maxConnectionAge: 1_000 }), "maxConnectionAge")
    assert.strictEqual(refused({ connectTimeout: 1_000 }), "connectTimeout")
    assert.strictEqual(refused({ http2: "prior-knowledge" }), "http2")
  })

  it("options that it satisfies anyhow are accepted, and so are our own bounds", () => {
    assert.strictEqual(refused({ maxConnectionAge: Infinity, connectTimeout: Infinity, http2: false }), undefined)
    assert.strictEqual(
      refused({ maxConnections: 3, maxQueue: 5, circuitFailures: false, isolation: "client" }),
      undefined
    )
  })

  it("a proxy and certificates are refused unless it supports them, and no secret is printed", () => {
    const proxy = { proxy: "http://user:secret@proxy.example" }
    assert.strictEqual(refused(proxy), "proxy")
    assert.strictEqual(refused({ ca: certificate.ca }), "ca")
    assert.strictEqual(refused(proxy, true), undefined)
    assert.strictEqual(refused({ ca: certificate.ca }, true), undefined)
    const told = unsupportedTransport(runtime(false), settings(proxy), settings())
    assert.deepStrictEqual(told, {
      field: "proxy",
      received: "given on Test 1.0, where requests go through the runtime's own fetch",
      expected: "unset: its fetch takes no proxy"
    })
  })

  it("the layer's allowAddress is refused, and more sockets than it sends requests at once", () => {
    assert.strictEqual(layer(256), undefined)
    assert.strictEqual(layer(10, () => true)?.field, "allowAddress")
    assert.deepStrictEqual(layer(257), {
      field: "maxSockets",
      received: "257 on Test 1.0, where requests go through the runtime's own fetch",
      expected: "at most 256, which its fetch sends at once; MAX raises that"
    })
  })
})
