import { assert, describe, it } from "vitest"
import { fetchError } from "../../../src/internal/transport/runtime/fetchErrors.ts"

const origin = "https://api.example"

const failed = (
  code: string,
  message = `${code} fetching "${origin}/v1?key=secret". For more information, pass \`verbose: true\` in the second argument to fetch()`
) => Object.assign(new TypeError(message), { code, path: `${origin}/v1?key=secret` })

const verdicts = {
  ECONNREFUSED: "Connection, no",
  ConnectionRefused: "Connection, no",
  ENOTFOUND: "Connection, no",
  EPROTO: "Connection, no",
  ECONNRESET: "Connection, maybe",
  ConnectionClosed: "Connection, maybe",
  ETIMEDOUT: "Connection, maybe",
  EMFILE: "FileDescriptors, no",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "Untrusted, no",
  CERT_HAS_EXPIRED: "Untrusted, no",
  Malformed_HTTP_Response: "Malformed, maybe",
  InvalidHTTPResponse: "Malformed, maybe"
}

const tunnel = (status: number) => {
  const error = fetchError(origin, failed("ERR_PROXY_TUNNEL", `Proxy refused to open a tunnel: ${status} No`), false)
  return `${error.reason}, ${error.processed}`
}

describe("an error of a runtime's fetch", () => {
  for (const [code, expected] of Object.entries(verdicts)) {
    it(`with the code ${code} is ${expected}, is known, and shows no URL`, () => {
      const error = fetchError(origin, failed(code), false)
      assert.strictEqual(`${error.reason}, ${error.processed}`, expected)
      assert.strictEqual(error.oddity, undefined)
      for (const shown of [error.message, String(error.cause), JSON.stringify(error.cause)]) {
        assert.notInclude(shown, "secret")
        assert.notInclude(shown, "verbose")
      }
    })
  }

  it("that came after the response's head means that it was processed", () => {
    const error = fetchError(origin, failed("ECONNRESET"), true)
    assert.deepStrictEqual([error.reason, error.processed], ["Connection", "yes"])
    assert.strictEqual(fetchError(origin, failed("ZlibError"), true).reason, "Malformed")
  })

  it("is the one that fetch has wrapped", () => {
    const error = fetchError(origin, new TypeError("fetch failed", { cause: failed("ECONNREFUSED") }), false)
    assert.deepStrictEqual([error.reason, error.processed], ["Connection", "no"])
    assert.strictEqual(fetchError(origin, new TypeError("fetch failed"), false).processed, "maybe")
  })

  it("of a proxy is final when the proxy refuses the tunnel for good", () => {
    assert.deepStrictEqual([407, 403, 429, 502].map(tunnel), [
      "Untrusted, no",
      "Untrusted, no",
      "Connection, no",
      "Connection, no"
    ])
  })

  it("that is not an Error, and an unknown code, are recorded", () => {
    assert.deepStrictEqual(fetchError(origin, failed("ENEW"), false).oddity, { kind: "error", value: "ENEW" })
    assert.strictEqual(fetchError(origin, "text", false).reason, "Connection")
  })
})
