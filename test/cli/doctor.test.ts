/** Endpoints of `clientele doctor`, over loopback. */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { endpoints, limitsIn } from "../../src/cli/doctor/endpoints.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(async () => {
  sandbox = await Sandbox.start({ apiKeys: ["sk-good"], rateLimit: { requestsPerMinute: 100, tokensPerMinute: 5000 } })
})
afterEach(() => sandbox.close())

const found = async (
  env: Readonly<Record<string, string>>,
  more: { model?: string; baseUrl?: string; isOffline?: boolean } = {}
) =>
  (await endpoints({ env, model: undefined, baseUrl: undefined, isOffline: false, ...more })).map(
    ({ state, text }) => `${state} ${text}`
  )

const matchAll = (lines: ReadonlyArray<string>, patterns: ReadonlyArray<RegExp>): void => {
  assert.strictEqual(lines.length, patterns.length, lines.join("\n"))
  patterns.forEach((pattern, i) => assert.match(lines[i] ?? "", pattern))
}

const NONE = [/^none azure: AZURE_OPENAI_API_KEY is not set$/, /^none groq: /, /^none cerebras: /]

describe("the doctor", () => {
  it("finds a key, reaches its endpoint, and has it accepted", async () => {
    const lines = await found({ OPENAI_API_KEY: "sk-good", OPENAI_BASE_URL: sandbox.baseURL("openai") })
    matchAll(lines, [
      /^ok openai: OPENAI_API_KEY is set$/,
      /^ok openai: 127\.0\.0\.1:\d+ reached in \d+ ms, no TLS$/,
      /^ok openai: the key is accepted$/,
      ...NONE
    ])
    assert.notInclude(lines.join(), "sk-good")
  })

  it("tells a rejected key, without printing it", async () => {
    const lines = await found({ OPENAI_API_KEY: "sk-dead", OPENAI_BASE_URL: sandbox.baseURL("openai") })
    assert.match(lines[2] ?? "", /^problem openai: status 401: the key is rejected; make a new one$/)
    assert.notInclude(lines.join(), "sk-dead")
  })

  it("refuses a key that no header holds, without printing it", async () => {
    const lines = await found({ OPENAI_API_KEY: "sk-go\nod", OPENAI_BASE_URL: sandbox.baseURL("openai") })
    matchAll(lines, [/^problem openai: OPENAI_API_KEY has a line break or another character that no key has/, ...NONE])
    assert.notInclude(lines.join(), "sk-go")
  })

  it("asks a model for a few tokens, and prints the limits of the account", async () => {
    for (const [model, env, base] of [
      ["openai:m", { OPENAI_API_KEY: "sk-good" }, sandbox.baseURL("openai")],
      ["groq:m", { GROQ_API_KEY: "sk-good" }, sandbox.baseURL("groq")],
      ["cerebras:m", { CEREBRAS_API_KEY: "sk-good" }, sandbox.baseURL("cerebras")],
      ["azure:m", { AZURE_OPENAI_API_KEY: "sk-good" }, sandbox.origin]
    ] as const) {
      const lines = await found(env, { model, baseUrl: base })
      assert.match(
        lines.join("\n"),
        /the key is accepted\nok \w+: limits are [\d,]+ requests \([\d,]+ left\), 5,000 tokens/,
        model
      )
    }
  })

  it("tells what can't be reached, and what is missing", async () => {
    const { origin } = sandbox
    await sandbox.close()
    const lines = await found({ GROQ_API_KEY: "gsk-1", GROQ_BASE_URL: origin, AZURE_OPENAI_API_KEY: "az-1" })
    assert.match(lines.join("\n"), /problem azure: AZURE_OPENAI_ENDPOINT is not set; set it to the resource's address/)
    assert.match(
      lines.join("\n"),
      /problem groq: 127\.0\.0\.1:\d+ can't be reached: .*; look at network, proxy and base URL/
    )
  })

  it("sends nothing when it is to be offline", async () => {
    await found({ OPENAI_API_KEY: "sk-good", OPENAI_BASE_URL: sandbox.baseURL("openai") }, { isOffline: true })
    assert.strictEqual(sandbox.stats().connections.total, 0)
  })

  it("tells HTTP/2 by what TLS offers", async () => {
    await using secure = await Sandbox.start({ tls: true })
    const lines = await found({}, { model: "openai:m", baseUrl: secure.baseURL("openai") })
    // The certificate is of no authority that this process trusts.
    assert.match(lines[1] ?? "", /can't be reached: .*certificate/)
  })

  it("reads the limits of each provider's headers", () => {
    const headers = new Headers({
      "x-ratelimit-limit-requests": "14400",
      "x-ratelimit-remaining-requests": "14399",
      "x-ratelimit-limit-tokens-minute": "60000",
      "x-ratelimit-limit-odd": "none"
    })
    assert.deepStrictEqual(limitsIn(headers), ["14,400 requests (14,399 left)", "60,000 tokens a minute"])
  })
})
