/** The packed package in bundles that take long to install or to make: without configuration, and run. */
import { cpSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { printed, promisePrints, promiseProgram, runAlone, succeed } from "../support/bundled.ts"
import { type Project, projectWith } from "../support/packed.ts"

const ours = ["clientele", "effect@3", "@effect/platform@0.97", "openai@7"]
const bundlers = [
  "rollup@4",
  "@rollup/plugin-node-resolve@16",
  "vite@7",
  "webpack@5",
  "webpack-cli@6",
  "tsup@8",
  "typescript@5"
]
const MINUTE_MS = 60_000

const scope = Effect.runSync(Scope.make())
let sandbox: Sandbox.Sandbox
const url = (): string => sandbox.baseURL("openai")

beforeAll(async () => {
  sandbox = await Effect.runPromise(Scope.extend(Sandbox.make(), scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const bin = (project: Project, name: string): string => join(project.folder, "node_modules/.bin", name)

describe("in a bundle", () => {
  let project: Project

  beforeAll(async () => {
    project = await projectWith(...ours, ...bundlers)
    project.write("promise.mjs", promiseProgram)
    project.write("promise.ts", promiseProgram)
  }, 10 * MINUTE_MS)

  afterAll(() => project.dispose(), 5 * MINUTE_MS)

  /** Under a name that says what the module is. */
  const renamed = (from: string, to: string): string => {
    cpSync(join(project.folder, from), join(project.folder, to))
    return to
  }

  it("of webpack calls, streams and fetches", { timeout: 5 * MINUTE_MS }, async () => {
    const args = ["--target", "node", "--mode", "production", "--entry", "./promise.mjs", "-o", "webpack"]
    assert.notInclude(await succeed(project, bin(project, "webpack"), args), "WARNING")
    assert.deepStrictEqual(
      await runAlone(project, renamed("webpack/main.js", "webpack/main.cjs"), url()),
      promisePrints
    )
  })

  it("of Rollup calls, streams and fetches", { timeout: 5 * MINUTE_MS }, async () => {
    const args = ["promise.mjs", "-p", "@rollup/plugin-node-resolve", "-f", "es", "-o", "rollup/promise.mjs"]
    await succeed(project, bin(project, "rollup"), args)
    assert.deepStrictEqual(await runAlone(project, "rollup/promise.mjs", url()), promisePrints)
  })

  it("of Vite for servers calls, streams and fetches", { timeout: 5 * MINUTE_MS }, async () => {
    await succeed(project, bin(project, "vite"), ["build", "--ssr", "promise.mjs", "--outDir", "vite"])
    assert.deepStrictEqual(await printed(project, "vite/promise.js", url()), promisePrints)
  })

  it("of Vite for servers that holds all packages calls, streams and fetches", { timeout: 5 * MINUTE_MS }, async () => {
    project.write("vite.config.mjs", "export default { ssr: { noExternal: true } }")
    await succeed(project, bin(project, "vite"), ["build", "--ssr", "promise.mjs", "--outDir", "vite-whole"])
    const whole = renamed("vite-whole/promise.js", "vite-whole/promise.mjs")
    assert.deepStrictEqual(await runAlone(project, whole, url()), promisePrints)
  })

  it("of tsup calls, streams and fetches, as both kinds of module", { timeout: 5 * MINUTE_MS }, async () => {
    await succeed(project, bin(project, "tsup"), ["promise.ts", "--format", "esm,cjs", "--minify", "--out-dir", "tsup"])
    for (const file of ["tsup/promise.js", "tsup/promise.cjs"]) {
      assert.deepStrictEqual(await printed(project, file, url()), promisePrints, file)
    }
  })
})

const route = `
  import { getOpenAIClient } from "clientele/promise/openai"

  const ask = () => getOpenAIClient({ apiKey: "sk-test", baseURL: process.env.SANDBOX_URL }).chat.completions
  const question = { model: "m", messages: [{ role: "user", content: "hi" }] }

  export const dynamic = "force-dynamic"

  export const POST = async () => {
    const answer = await ask().create(question)
    return Response.json({ text: answer.choices[0].message.content })
  }

  export const GET = async () => {
    const chunks = await ask().create({ ...question, stream: true })
    const words = async function* () {
      for await (const chunk of chunks) yield chunk.choices[0]?.delta.content ?? ""
    }
    return new Response(ReadableStream.from(words()).pipeThrough(new TextEncoderStream()))
  }
`

/** Starts what was built, asks both handlers, prints what they said, and stops it. */
const drive = `
  import { spawn } from "node:child_process"
  import { createServer } from "node:net"
  import { once } from "node:events"
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  const args = ["node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", String(port)]
  const next = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  await new Promise((resolve) => next.stdout.on("data", (text) => String(text).includes("Ready") && resolve()))
  const url = "http://127.0.0.1:" + port + "/api/ask"
  const { text } = await (await fetch(url, { method: "POST" })).json()
  const streamed = await (await fetch(url)).text()
  next.kill()
  console.log(JSON.stringify({ isSame: text === streamed && text !== "" }))
`

describe("in a route handler of Next.js", () => {
  let project: Project

  beforeAll(async () => {
    project = await projectWith(...ours, "next@16", "react@19", "react-dom@19")
    project.write("app/layout.js", "export default ({ children }) => <html><body>{children}</body></html>")
    project.write("app/page.js", "export default () => <p>hi</p>")
    project.write("app/api/ask/route.js", route)
    project.write("drive.mjs", drive)
  }, 10 * MINUTE_MS)

  afterAll(() => project.dispose(), 5 * MINUTE_MS)

  for (const bundler of ["--turbopack", "--webpack"]) {
    it(`calls and streams, built with ${bundler}`, { timeout: 10 * MINUTE_MS }, async () => {
      const env = { NEXT_TELEMETRY_DISABLED: "1", SANDBOX_URL: url(), NODE_ENV: "production" }
      await succeed(project, process.execPath, ["node_modules/next/dist/bin/next", "build", bundler], env)
      assert.deepStrictEqual(JSON.parse(await succeed(project, process.execPath, ["drive.mjs"], env)), { isSame: true })
    })
  }
})
