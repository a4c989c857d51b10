/** Copies and worker threads of one process that may have 256 descriptors, with 500 calls each. */
import { cpSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Project, projectWith } from "../support/packed.ts"

/** `storm.mjs MODE BASE_URL PACKAGE...`: a storm for each package, in this thread, or one in each of four workers. */
const storm = `
  import { readdirSync } from "node:fs"
  import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
  const [mode, baseURL, ...packages] = isMainThread ? process.argv.slice(2) : workerData
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] })
  const headers = { authorization: "Bearer k", "content-type": "application/json" }
  const storm = async (name) => {
    const { getFetch } = await import(name + "/Promise")
    const fetch = getFetch({ apiKey: "k", baseURL, maxRetries: 0 })
    const ask = () => fetch(baseURL + "/chat/completions", { method: "POST", headers, body }).then((it) => it.text())
    const all = await Promise.allSettled(Array.from({ length: 500 }, ask))
    return all.flatMap(({ reason }) => (reason === undefined ? [] : [String(reason)]))
  }
  const worker = () =>
    new Promise((resolve, reject) => {
      const thread = new Worker(new URL(import.meta.url), { workerData: ["worker", baseURL, ...packages] })
      thread.once("message", resolve).once("error", reject)
    })
  if (!isMainThread) parentPort.postMessage(await storm(packages[0]))
  else {
    // Tells when an app could open nothing any more.
    let most = 0
    const timer = setInterval(() => { most = Math.max(most, readdirSync("/proc/self/fd").length) }, 5)
    const storms = mode === "copies" ? packages.map(storm) : Array.from({ length: 4 }, worker)
    console.log(JSON.stringify({ failures: (await Promise.all(storms)).flat().slice(0, 3), most }))
    clearInterval(timer)
  }
`

describe.runIf(process.platform === "linux")("under ulimit -n 256 no request fails", () => {
  let project: Project

  beforeAll(async () => {
    project = await projectWith("clientele", "effect@^3.22.4", "@effect/platform@^0.97.2")
    const modules = join(project.folder, "node_modules")
    cpSync(join(modules, "clientele"), join(modules, "another"), { recursive: true })
    project.write("storm.mjs", storm)
  }, 300_000)

  afterAll(() => project.dispose())

  const run = async (...args: ReadonlyArray<string>) => {
    const command = `ulimit -n 256; exec "$0" --no-warnings storm.mjs "$@"`
    const { stderr, stdout } = await project.run("bash", ["-c", command, process.execPath, ...args])
    assert.strictEqual(stderr, "")
    return JSON.parse(stdout) as { readonly failures: ReadonlyArray<string>; readonly most: number }
  }

  it("of two copies of the package, which share half of the descriptors", { timeout: 120_000 }, async () => {
    await using sandbox = await Sandbox.start({ protocol: "http/1.1", latency: 20 })
    const { failures } = await run("copies", sandbox.baseURL("openai"), "clientele", "another")
    assert.deepStrictEqual(failures, [])
    assert.strictEqual(sandbox.stats().requests, 1_000)
    assert.isAtMost(sandbox.stats().connections.peak, 128)
  })

  it("of four worker threads, which leave descriptors to everything else", { timeout: 120_000 }, async () => {
    await using sandbox = await Sandbox.start({ protocol: "http/1.1", latency: 20 })
    const { failures, most } = await run("workers", sandbox.baseURL("openai"), "clientele")
    assert.deepStrictEqual(failures, [])
    assert.strictEqual(sandbox.stats().requests, 2_000)
    assert.isBelow(most, 256)
  })
})
