/** The packed package in bundles of esbuild, made without configuration, run in folders without node_modules. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { effectPrints, effectProgram, promisePrints, promiseProgram, runAlone, succeed } from "../support/bundled.ts"
import { type Project, projectWith } from "../support/packed.ts"

const scope = Effect.runSync(Scope.make())
let project: Project
let sandbox: Sandbox.Sandbox

beforeAll(async () => {
  sandbox = await Effect.runPromise(Scope.extend(Sandbox.make(), scope))
  project = await projectWith("clientele", "effect@3", "@effect/platform@0.97", "openai@7", "esbuild@0.28")
  project.write("promise.mjs", promiseProgram)
  project.write("effect.mjs", effectProgram)
}, 300_000)

afterAll(async () => {
  await project.dispose()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

const bin = (name: string): string => join(project.folder, "node_modules/.bin", name)

const runBundle = (file: string): Promise<unknown> => runAlone(project, file, sandbox.baseURL("openai"))

const esbuild = (entry: string, out: string, ...args: ReadonlyArray<string>): Promise<string> =>
  succeed(project, bin("esbuild"), [entry, "--bundle", "--platform=node", `--outfile=${out}`, ...args])

const bundled = async (name: string, from: string): Promise<string> => {
  project.write(`${name}.mjs`, `export { ${name} } from "${from}"`)
  await esbuild(`${name}.mjs`, `out/${name}.js`, "--format=esm")
  return readFileSync(join(project.folder, `out/${name}.js`), "utf8")
}

describe("in a bundle", () => {
  it("of one function is only what it uses of a chunk", async () => {
    const [fetch, use, error] = [
      await bundled("getFetch", "clientele/Promise"),
      await bundled("use", "clientele/OpenAiClient"),
      await bundled("PoolError", "clientele/ClientError")
    ]
    const [ofPromise, ofCallbacks] = ["a client or a fetch of this set", "the callback failed"]
    assert.include(fetch, ofPromise)
    assert.notInclude(use, ofPromise)
    assert.include(use, ofCallbacks)
    assert.notInclude(error, ofCallbacks)
    // esbuild names the file of each part.
    const stream = "effect/dist/esm/internal/stream.js"
    assert.include(use, stream)
    assert.notInclude(fetch, stream)
  })

  for (const [format, extension] of [
    ["esm", "mjs"],
    ["cjs", "cjs"]
  ] as const) {
    for (const flags of [[], ["--minify"]]) {
      const name = ["esbuild", format, ...flags].join(" ")
      const out = `out/${name.replaceAll(/\W+/g, "-")}.${extension}`

      it(`of ${name} calls, streams and fetches`, async () => {
        await esbuild("promise.mjs", out, `--format=${format}`, ...flags)
        assert.deepStrictEqual(await runBundle(out), promisePrints)
      })

      it(`of ${name} distinguishes an invalid JSON answer from a caller's own JSON.parse`, async () => {
        await esbuild("effect.mjs", `${out}.effect.${extension}`, `--format=${format}`, ...flags)
        sandbox.faults.replace([{ times: 1, fault: { type: "garbage", what: "json" } }])
        assert.deepStrictEqual(await runBundle(`${out}.effect.${extension}`), effectPrints)
      })
    }
  }
})
