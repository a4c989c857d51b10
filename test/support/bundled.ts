/** Programs that bundlers bundle, and what they print when they are run against a sandbox. */
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { assert } from "vitest"
import type { Project } from "./packed.ts"

const question = `{ model: "m", messages: [{ role: "user", content: "hi" }] }`

/** One call and one stream by the SDK, and a pooled fetch; no top-level await, which CommonJS has none of. */
export const promiseProgram = `
  import { getOpenAIClient } from "clientele/promise/openai"
  import { getFetch } from "clientele/Promise"
  const options = { apiKey: "sk-test", baseURL: process.env.SANDBOX_URL }
  const question = ${question}
  const main = async () => {
    const openai = getOpenAIClient(options)
    const answer = await openai.chat.completions.create(question)
    let streamed = ""
    for await (const chunk of await openai.chat.completions.create({ ...question, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? ""
    }
    const pooled = getFetch(options)
    const headers = { authorization: "Bearer sk-test", "content-type": "application/json" }
    const response = await pooled(options.baseURL + "/chat/completions", {
      method: "POST",
      headers,
      body: JSON.stringify(question)
    })
    console.log(JSON.stringify({ isSame: answer.choices[0].message.content === streamed, status: response.status }))
  }
  void main()
`

export const promisePrints = { isSame: true, status: 200 }

/** Failures by Effect's doors: an answer that is no JSON, and a `JSON.parse` of the caller's own. */
export const effectProgram = `
  import * as ClientLayer from "clientele/ClientLayer"
  import * as OpenAiClient from "clientele/OpenAiClient"
  import * as Effect from "effect/Effect"
  import * as Redacted from "effect/Redacted"
  const options = { apiKey: Redacted.make("sk-test"), baseURL: process.env.SANDBOX_URL, maxRetries: 0 }
  const call = OpenAiClient.use(options, (openai) => openai.chat.completions.create(${question}))
  const parse = OpenAiClient.use(options, async (openai) => {
    await openai.chat.completions.create(${question})
    return JSON.parse("no JSON")
  })
  const main = Effect.gen(function* () {
    const malformed = yield* Effect.flip(call)
    const own = yield* Effect.flip(parse)
    console.log(JSON.stringify({ malformed: malformed.reason, own: own._tag }))
  })
  void Effect.runPromise(Effect.provide(main, ClientLayer.layer()))
`

export const effectPrints = { malformed: "Malformed", own: "CallbackError" }

/** Runs a command that must succeed; what it printed is in the message otherwise. */
export const succeed = async (
  project: Project,
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<string> => {
  const { status, stderr, stdout } = await project.run(command, args, env)
  assert.strictEqual(status, 0, `${command} ${args.join(" ")}\n${stdout}\n${stderr}`)
  return stdout
}

/** Output of a program of the project, parsed as JSON. */
export const printed = async (project: Project, file: string, sandboxURL: string): Promise<unknown> =>
  JSON.parse(await succeed(project, process.execPath, [file], { SANDBOX_URL: sandboxURL }))

/** The same of a file that is copied to where nothing else is. */
export const runAlone = async (project: Project, file: string, sandboxURL: string): Promise<unknown> => {
  const folder = mkdtempSync(join(tmpdir(), "clientele-bundle-"))
  try {
    const alone = join(folder, basename(file))
    cpSync(join(project.folder, file), alone)
    return await printed(project, alone, sandboxURL)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
