/** `node --import clientele/register` from the tarball, over libraries as npm installs them. */
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Ended, type Project, projectWith } from "../support/packed.ts"
import { AGENTS, BOUND, peers, registered } from "../support/registered.ts"

let project: Project

const files: Readonly<Record<string, string>> = {
  "ai.mjs": `
    import { createOpenAI } from "@ai-sdk/openai"
    import { generateText, streamText } from "ai"
    const agent = async () => {
      const { text } = await generateText({ model: createOpenAI()("gpt-5-mini"), prompt: "hi", maxRetries: 0 })
      return text
    }
    const answers = await Promise.all(Array.from({ length: ${AGENTS - 1} }, agent))
    let streamed = ""
    for await (const part of streamText({ model: createOpenAI().chat("gpt-5-mini"), prompt: "hi" }).textStream) streamed += part
    console.log(new Set([...answers, streamed]).size)`,
  "llamaindex.mjs": `
    import { OpenAI } from "@llamaindex/openai"
    const messages = [{ role: "user", content: "hi" }]
    const agent = async () => (await new OpenAI({ model: "gpt-4o-mini" }).chat({ messages })).message.content
    const answers = await Promise.all(Array.from({ length: ${AGENTS - 1} }, agent))
    let streamed = ""
    for await (const part of await new OpenAI({ model: "gpt-4o-mini" }).chat({ messages, stream: true })) streamed += part.delta
    console.log(new Set([...answers, streamed]).size)`,
  "look.cjs": `
    exports.look = async ({ AzureOpenAI, OpenAI }, origin) => {
      const body = { model: "m", messages: [{ role: "user", content: "hi" }] }
      const client = new OpenAI({ timeout: 30_000 })
      const isShared = client === new OpenAI({ apiKey: "sk-test-of-a-project", timeout: 30_000 })
      const answer = await client.chat.completions.create(body)
      let streamed = ""
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
        streamed += chunk.choices[0]?.delta.content ?? ""
      }
      const azure = new AzureOpenAI({ endpoint: origin, apiKey: "azure", apiVersion: "2024-10-21" })
      const keys = []
      const keyed = new OpenAI({ apiKey: async () => (keys.push(1), "sk-of-a-function") })
      const error = await client.models.retrieve("absent", { headers: { "x-sandbox-fault": "status=404" } }).catch((e) => e)
      process.env.OPENAI_ADMIN_KEY = "admin"
      delete process.env.OPENAI_API_KEY
      let missing
      try { new OpenAI() } catch (error) { missing = error }
      console.log(JSON.stringify([
        isShared,
        client instanceof OpenAI && client.constructor.name,
        answer.choices[0].message.content === streamed && streamed !== "",
        (await azure.chat.completions.create(body)).choices.length + (await keyed.chat.completions.create(body)).choices.length + keys.length,
        error instanceof OpenAI.NotFoundError,
        client.withOptions({ timeout: 7 }).timeout,
        missing instanceof OpenAI.OpenAIError
      ]))
    }`,
  "openai5.mjs": `
    import * as sdk from "openai5"
    import { look } from "./look.cjs"
    await look(sdk, process.argv[2])`,
  "openai5.cjs": `void require("./look.cjs").look(require("openai5"), process.argv[2])`,
  "openai4.mjs": `
    import OpenAI from "openai4"
    for (let i = 0; i < 2; i++) await new OpenAI().models.list()`
}

beforeAll(async () => {
  project = await projectWith(
    ...peers,
    "ai@7",
    "@ai-sdk/openai@4",
    "@llamaindex/openai@0.4",
    "@llamaindex/core@0.6",
    "@llamaindex/env@0.1",
    "openai4@npm:openai@4",
    "openai5@npm:openai@5"
  )
  for (const [file, text] of Object.entries(files)) project.write(file, text)
}, 300_000)

afterAll(() => project?.dispose())

interface Ran extends Ended {
  readonly sandbox: Sandbox.Sandbox
  readonly counted: Sandbox.Stats
}

const run = async (
  file: string,
  env: Readonly<Record<string, string>> = {},
  options: Parameters<typeof Sandbox.start>[0] = {}
): Promise<Ran> => {
  await using sandbox = await Sandbox.start({ protocol: "http/1.1", latency: 50, logSize: 0, ...options })
  const ended = await registered(project, file, sandbox, env)
  return { ...ended, sandbox, counted: sandbox.stats() }
}

const REPORT_HEAD = /^ {2}origin +road +clients +requests +sockets\n/m

/** The report's rows, without spaces in excess. */
const rows = ({ sandbox, stderr }: Ran): ReadonlyArray<string> =>
  stderr
    .split("\n")
    .filter((line) => line.startsWith(`  ${sandbox.origin} `))
    .map((line) => line.replace(sandbox.origin, "").trim().replace(/ +/g, " "))

describe("with clientele/register, from the tarball", () => {
  it("agents of the AI SDK are not pooled, as a warning and the report show", async () => {
    const ran = await run("ai.mjs")
    assert.deepStrictEqual({ status: ran.status, stdout: ran.stdout }, { status: 0, stdout: "1\n" }, ran.stderr)
    assert.isAbove(ran.counted.connections.total, BOUND)
    assert.strictEqual(ran.counted.requests, AGENTS)
    const warnings = ran.stderr.split("\n").filter((line) => line.includes("ClienteleWarning"))
    assert.strictEqual(warnings.length, 1)
    assert.include(warnings[0], `requests to ${ran.sandbox.origin} by fetch (`)
    assert.include(warnings[0], "are not pooled: set CLIENTELE_FETCH=1, or give")
    assert.match(ran.stderr, REPORT_HEAD)
    assert.deepStrictEqual(
      rows(ran).map((row) => row.replace(/ \(.*\)/, "")),
      [`fetch - ${AGENTS - 1} -`, "fetch - 1 -"]
    )
    assert.match(rows(ran).join("\n"), /ai\/7\.[\d.]+ ai-sdk/)
  })

  it("agents of the AI SDK are pooled with CLIENTELE_FETCH=1", async () => {
    const ran = await run("ai.mjs", { CLIENTELE_FETCH: "1" })
    const { connections, requests } = ran.counted
    assert.deepStrictEqual(
      { status: ran.status, stdout: ran.stdout, requests },
      { status: 0, stdout: "1\n", requests: AGENTS }
    )
    assert.isAtMost(connections.total, BOUND)
    assert.deepStrictEqual(rows(ran), [`pooled 1 ${AGENTS} ${connections.peak}`])
    assert.notInclude(ran.stderr, "not pooled")
  })

  it("agents of the AI SDK share a few sockets over HTTP/2, and none of that counts as not pooled", async () => {
    await using sandbox = await Sandbox.start({ tls: true, latency: 50 })
    project.write("ca.pem", sandbox.ca)
    const env = { CLIENTELE_FETCH: "1", NODE_EXTRA_CA_CERTS: join(project.folder, "ca.pem") }
    const ended = await registered(project, "ai.mjs", sandbox, env)
    assert.deepStrictEqual({ status: ended.status, stdout: ended.stdout }, { status: 0, stdout: "1\n" }, ended.stderr)
    const { connections, requests } = sandbox.stats()
    assert.strictEqual(requests, AGENTS)
    assert.isAtMost(connections.total, 8)
    assert.deepStrictEqual(rows({ ...ended, sandbox, counted: sandbox.stats() }), [
      `pooled 1 ${AGENTS} ${connections.peak}`
    ])
    assert.notInclude(ended.stderr, "not pooled")
  })

  it("agents of LlamaIndex are pooled over the openai 5 that it brings", async () => {
    const ran = await run("llamaindex.mjs")
    const { connections, requests } = ran.counted
    assert.deepStrictEqual(
      { status: ran.status, stdout: ran.stdout, requests },
      { status: 0, stdout: "1\n", requests: AGENTS }
    )
    assert.isAtMost(connections.total, BOUND)
    assert.strictEqual(
      ran.stderr.split("\n").find((line) => line.startsWith("clientele: ")),
      `clientele: ${AGENTS} clients asked for, 1 built; at most ${connections.peak} sockets open at once`
    )
    assert.deepStrictEqual(rows(ran), [`pooled 1 ${AGENTS} ${connections.peak}`])
  })

  for (const file of ["openai5.mjs", "openai5.cjs"]) {
    it(`clients of openai 5 are pooled and are as they were, in ${file}`, async () => {
      const ran = await run(file, {}, { latency: 0 })
      assert.deepStrictEqual(JSON.parse(ran.stdout), [true, "OpenAI", true, 3, true, 7, true], ran.stderr)
      assert.strictEqual(ran.counted.connections.total, 1)
      assert.notInclude(ran.stderr, "not pooled")
    })
  }

  it("a nested SDK of an unknown major is named, with its origin", async () => {
    const ran = await run("openai4.mjs", { CLIENTELE_FETCH: "1" }, { latency: 0 })
    assert.strictEqual(ran.status, 0, ran.stderr)
    const warnings = ran.stderr.split("\n").filter((line) => line.includes("ClienteleWarning"))
    assert.strictEqual(warnings.length, 2)
    assert.match(
      warnings[0]!,
      /clients of openai 4\.[\d.]+ are not pooled: unsupported version, supported: versions 5 to 7/
    )
    assert.include(warnings[1], `requests to ${ran.sandbox.origin} by node:http (OpenAI/JS 4.`)
    assert.include(warnings[1], "use a version of its SDK that is pooled")
    assert.match(rows(ran).join("\n"), /^node:http \(OpenAI\/JS 4\.[\d.]+\) - 2 -$/)
  })

  it("an origin that CLIENTELE_FETCH can't add ends the process with a clear error", async () => {
    const ran = await run("ai.mjs", { CLIENTELE_FETCH: "1,api.example.com" })
    assert.strictEqual(ran.status, 1)
    assert.include(ran.stderr, "OptionsError: clientele: option CLIENTELE_FETCH is")
    assert.notInclude(ran.stderr, "api.example.com")
    assert.strictEqual(ran.counted.requests, 0)
  })
})
