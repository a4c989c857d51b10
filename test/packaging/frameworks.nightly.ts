/** Test frameworks as test authors install them, with the packed tarball beside them: what docs/testing.md says. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Ended, type Project, projectWith } from "../support/packed.ts"

const question = `{ model: "m", messages: [{ role: "user", content: "hi" }] }`

const reply = `(content) => ({
  id: "c", object: "chat.completion", created: 1, model: "m",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content } }]
})`

const ask = `const ask = async (openai) => (await openai.chat.completions.create(${question})).choices[0].message.content`

/** Run once with fake timers and once without, on new connections and on old ones. */
const timers = (framework: string) => `
  ${ask}
  const openai = () => getOpenAIClient({ apiKey: "k", baseURL: process.env.SANDBOX_URL })
  test("is answered", async () => {
    const answer = await ask(openai())
    ${framework}.useFakeTimers()
    for (let i = 0; i < 3; i++) expect(await ask(openai())).toBe(answer)
    ${framework}.useRealTimers()
    expect(await ask(openai())).toBe(answer)
  })
`

const fake = `{ chat: { completions: { create: async () => "mocked" } } }`

const jestFiles: Readonly<Record<string, string>> = {
  "jest/timers.test.cjs": `const { getOpenAIClient } = require("clientele/promise/openai")\n${timers("jest")}`,
  "jest/timers.test.mjs": `
    import { jest } from "@jest/globals"
    import { getOpenAIClient } from "clientele/promise/openai"
    ${timers("jest")}`,
  "jest/automock.test.cjs": `
    jest.mock("openai")
    const { OpenAI } = require("openai")
    const { getOpenAIClient } = require("clientele/promise/openai")
    test("automock", async () => {
      expect(getOpenAIClient({ timeout: 5 })).toBe(OpenAI.mock.instances[0])
      OpenAI.mockImplementation(() => (${fake}))
      expect(await getOpenAIClient().chat.completions.create()).toBe("mocked")
    })`,
  "jest/factory.test.cjs": `
    jest.mock("openai", () => ({ OpenAI: jest.fn(() => (${fake})) }))
    const { getAzureOpenAIClient, getOpenAIClient } = require("clientele/promise/openai")
    test("factory", async () => {
      expect(await getOpenAIClient().chat.completions.create()).toBe("mocked")
      expect(() => getAzureOpenAIClient()).toThrow(/a mock of it whose factory returns the class by its name/)
    })`,
  "jest/fetch.test.cjs": `
    process.env.CLIENTELE_TRANSPORT = "fetch"
    const { getOpenAIClient } = require("clientele/promise/openai")
    const reply = ${reply}
    ${ask}
    test("stub", async () => {
      global.fetch = jest.fn(async () => Response.json(reply("stubbed")))
      expect(await ask(getOpenAIClient({ apiKey: "k" }))).toBe("stubbed")
    })`
}

const globally = `
  jest.setTimeout(20000)
  const { getOpenAIClient } = require("clientele/promise/openai")
  ${ask}
  test("is answered", async () => {
    expect(await ask(getOpenAIClient({ apiKey: "k", baseURL: process.env.SANDBOX_URL }))).not.toBe("")
  })`

const vitestFiles: Readonly<Record<string, string>> = {
  "vitest/timers.test.mjs": `
    import { expect, test, vi } from "vitest"
    import { getOpenAIClient } from "clientele/promise/openai"
    ${timers("vi")}`,
  "vitest/fetch.test.mjs": `
    import { http, HttpResponse } from "msw"
    import { setupServer } from "msw/node"
    import nock from "nock"
    import { expect, test, vi } from "vitest"
    import { getOpenAIClient } from "clientele/promise/openai"
    const reply = ${reply}
    ${ask}
    const url = "https://api.openai.com/v1/chat/completions"
    test("a stubbed fetch", async () => {
      vi.stubGlobal("fetch", async () => Response.json(reply("stubbed")))
      expect(await ask(getOpenAIClient({ apiKey: "k" }))).toBe("stubbed")
      vi.unstubAllGlobals()
    })
    test("msw", async () => {
      const server = setupServer(http.post(url, () => HttpResponse.json(reply("msw"))))
      server.listen({ onUnhandledRequest: "error" })
      expect(await ask(getOpenAIClient({ apiKey: "k" }))).toBe("msw")
      const chunk = (choice) => "data: " + JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, ...choice }] }) + "\\n\\n"
      const events = chunk({ delta: { content: "streamed" } }) + chunk({ delta: {}, finish_reason: "stop" }) + "data: [DONE]\\n\\n"
      server.use(http.post(url, () => new HttpResponse(events, { headers: { "content-type": "text/event-stream" } })))
      let text = ""
      const stream = await getOpenAIClient({ apiKey: "k" }).chat.completions.create({ ...${question}, stream: true })
      for await (const { choices } of stream) text += choices[0].delta.content ?? ""
      expect(text).toBe("streamed")
      server.close()
    })
    test("nock", async () => {
      nock("https://api.openai.com").post("/v1/chat/completions").reply(200, reply("nock"))
      expect(await ask(getOpenAIClient({ apiKey: "k" }))).toBe("nock")
    })`,
  "vitest/mock.test.mjs": `
    import { expect, test, vi } from "vitest"
    import { getOpenAIClient } from "clientele/promise/openai"
    vi.mock("openai", () => ({ OpenAI: class { chat = { completions: { create: async () => "mocked" } } } }))
    test("factory", async () => {
      expect(await getOpenAIClient({ apiKey: "k" }).chat.completions.create()).toBe("mocked")
    })`,
  "vitest/automock.test.mjs": `
    import { OpenAI } from "openai"
    import { expect, test, vi } from "vitest"
    import { getOpenAIClient } from "clientele/promise/openai"
    vi.mock("openai")
    test("automock", () => {
      expect(getOpenAIClient({ apiKey: "k" })).toBe(vi.mocked(OpenAI).mock.instances[0])
    })`,
  "vitest/getter.test.mjs": `
    import { expect, test, vi } from "vitest"
    import { getOpenAIClient } from "clientele/promise/openai"
    vi.mock("clientele/promise/openai", () => ({ getOpenAIClient: () => (${fake}) }))
    test("getter", async () => {
      expect(await getOpenAIClient().chat.completions.create()).toBe("mocked")
    })`
}

const peers = ["clientele", "effect@^3.22.4", "@effect/platform@^0.97.2", "openai"]

const config = (roots: string, more = "") =>
  `export default { roots: ["<rootDir>/${roots}"], testMatch: ["**/*.test.?js"], transform: {} ${more} }`

describe("Jest", () => {
  let project: Project

  beforeAll(async () => {
    project = await projectWith(...peers, "jest")
    project.write("jest.config.mjs", config("jest"))
    project.write("global.config.mjs", config("global", ", fakeTimers: { enableGlobally: true }"))
    for (const [file, text] of Object.entries(jestFiles)) project.write(file, text)
    project.write("global/timers.test.cjs", globally)
  }, 600_000)

  afterAll(() => project.dispose())

  const jest = (baseURL: string, ...args: ReadonlyArray<string>) =>
    project.run(
      process.execPath,
      ["--experimental-vm-modules", "--no-warnings", "node_modules/jest/bin/jest.js", ...args],
      { SANDBOX_URL: baseURL }
    )

  it("passes with fake timers, mocks and a stubbed fetch, and finds no open handle", { timeout: 300_000 }, async () => {
    await using sandbox = await Sandbox.start({ protocol: "http/1.1" })
    const { status, stderr } = await jest(sandbox.baseURL("openai"), "--detectOpenHandles")
    assert.strictEqual(status, 0, stderr)
    assert.match(stderr, /^Tests: +5 passed, 5 total$/m)
    assert.notMatch(stderr, /open handle|did not exit/)
  })

  it("gets an error with the remedy where it can't load ES modules", { timeout: 300_000 }, async () => {
    const { status, stderr } = await project.run(process.execPath, ["node_modules/jest/bin/jest.js", "factory"])
    assert.strictEqual(status, 1)
    assert.match(
      stderr,
      /clientele has ES modules, which require can't load here: run Jest by node --experimental-vm-m/
    )
  })

  it("passes with fake timers from before the package was loaded", { timeout: 300_000 }, async () => {
    await using sandbox = await Sandbox.start({ protocol: "http/1.1" })
    const { status, stderr } = await jest(sandbox.baseURL("openai"), "-c", "global.config.mjs")
    assert.strictEqual(status, 0, stderr)
  })
})

for (const version of ["3", "4"]) {
  describe(`Vitest ${version}`, () => {
    let project: Project

    beforeAll(async () => {
      project = await projectWith(...peers, `vitest@${version}`, "msw", "nock")
      for (const [file, text] of Object.entries(vitestFiles)) project.write(file, text)
      project.write("inline.config.mjs", `export default { test: { server: { deps: { inline: ["clientele"] } } } }`)
    }, 600_000)

    afterAll(() => project.dispose())

    const vitest = (
      files: ReadonlyArray<string>,
      env: Readonly<Record<string, string>>,
      ...args: Array<string>
    ): Promise<Ended> =>
      project.run(
        process.execPath,
        ["node_modules/vitest/vitest.mjs", "run", ...files.map((file) => `vitest/${file}`), ...args],
        // Without what says that it runs in another Vitest.
        { NO_COLOR: "1", VITEST: "", VITEST_WORKER_ID: "", VITEST_POOL_ID: "", ...env }
      )

    it("passes with fake timers", { timeout: 300_000 }, async () => {
      await using sandbox = await Sandbox.start({ protocol: "http/1.1" })
      const { status, stderr, stdout } = await vitest(["timers"], { SANDBOX_URL: sandbox.baseURL("openai") })
      assert.strictEqual(status, 0, stdout + stderr)
    })

    it("passes with a stubbed fetch, msw and nock where the switch is set", { timeout: 300_000 }, async () => {
      const { status, stderr, stdout } = await vitest(["fetch"], { CLIENTELE_TRANSPORT: "fetch" })
      assert.strictEqual(status, 0, stdout + stderr)
    })

    it("passes with mocks of the SDK where the package is inlined, or of a getter", { timeout: 300_000 }, async () => {
      const inlined = await vitest(["mock", "automock"], {}, "-c", "inline.config.mjs")
      assert.strictEqual(inlined.status, 0, inlined.stdout + inlined.stderr)
      const { status, stderr, stdout } = await vitest(["getter"], {})
      assert.strictEqual(status, 0, stdout + stderr)
    })

    it(
      "gets an error with the remedy where a mock of the SDK does not reach the package",
      { timeout: 300_000 },
      async () => {
        const { status, stderr, stdout } = await vitest(["mock"], {})
        assert.strictEqual(status, 1)
        assert.match(stdout + stderr, /set test\.server\.deps\.inline to \["clientele"\] in Vitest's config/)
      }
    )
  })
}
