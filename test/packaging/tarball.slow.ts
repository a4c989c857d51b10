/** The tarball's content. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { tarball } from "../support/packed.ts"

const folder = mkdtempSync(join(tmpdir(), "clientele-tarball-"))
let files: ReadonlyArray<string>

beforeAll(async () => {
  const list = execFileSync("tar", ["-xvzf", await tarball(), "-C", folder], { encoding: "utf8" })
  files = list.trim().split("\n")
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the tarball", () => {
  it("holds sources, builds, documents and nothing of the compiler's", () => {
    const expected =
      /^package\/(package\.json|README\.md|SECURITY\.md|LICENSE|docs\/[\w-]+\.md|src\/.+\.[cm]?ts|dist\/.+\.(js|cjs|d\.ts|d\.cts|map)|dist\/cli\/vendor\/THIRD-PARTY-NOTICES\.md)$/
    assert.include(files, "package/dist/index.js")
    assert.deepStrictEqual(
      files.filter((file) => !expected.test(file)),
      []
    )
  })

  it("has its JavaScript in few files, whose maps lead to its sources", () => {
    const scripts = files.filter((file) => file.endsWith(".js"))
    assert.isBelow(scripts.length, 80)
    // The compiler's own maps lead from where it ran, which was not in the tarball's folder.
    const chunked = scripts.filter((file) => !file.includes("/needs-effect-3/"))
    const mapped = chunked.flatMap((file) => {
      const map = JSON.parse(readFileSync(join(folder, `${file}.map`), "utf8")) as { sources: ReadonlyArray<string> }
      return map.sources.map((source) => join(dirname(file), source))
    })
    assert.deepStrictEqual(
      mapped.filter((file) => !files.includes(file)),
      []
    )
    // Types alone have no code, and CommonJS has maps of its own.
    assert.isAbove(new Set(mapped).size, 250)
  })
})
