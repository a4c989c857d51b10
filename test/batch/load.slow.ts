/** Modules that paths load, in processes of their own. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const src = fileURLToPath(new URL("../../src/", import.meta.url))

/** Modules of this package that a path loads, and those of its peers. */
const loadedBy = (path: string): ReadonlyArray<string> => {
  const script = `
    const urls = []
    require("node:module").registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
    import(${JSON.stringify(`${src}${path}`)}).then(() => console.log(JSON.stringify(urls)))`
  const { stderr, stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" })
  assert.match(stdout, /^\[/, stderr)
  return JSON.parse(stdout) as ReadonlyArray<string>
}

const has = (urls: ReadonlyArray<string>, part: string): boolean => urls.some((url) => url.includes(part))

describe("the modules of batches", () => {
  it("are not loaded by clientele/Promise", () => {
    assert.isFalse(has(loadedBy("Promise.ts"), "/internal/batch/"))
  })

  it("load no SDK and no @effect/ai", () => {
    for (const path of ["Batch.ts", "promise/batch.ts"]) {
      const urls = loadedBy(path)
      assert.isTrue(has(urls, "/internal/batch/engine.ts"))
      for (const part of ["node_modules/openai", "node_modules/groq-sdk", "cerebras_cloud_sdk/", "@effect/ai/"]) {
        assert.isFalse(has(urls, part), `${path} loads ${part}`)
      }
    }
  })
})
