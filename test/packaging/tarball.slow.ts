/** The tarball's content. */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { tarball } from "../support/packed.ts"

describe("the tarball", () => {
  it("holds sources, builds, documents and nothing of the compiler's", async () => {
    const files = execFileSync("tar", ["-tzf", await tarball()], { encoding: "utf8" })
      .trim()
      .split("\n")
    const expected =
      /^package\/(package\.json|README\.md|SECURITY\.md|LICENSE|docs\/[\w-]+\.md|src\/.+\.[cm]?ts|dist\/.+\.(js|cjs|d\.ts|d\.cts|map)|dist\/cli\/vendor\/THIRD-PARTY-NOTICES\.md)$/
    assert.include(files, "package/dist/index.js")
    assert.deepStrictEqual(
      files.filter((file) => !expected.test(file)),
      []
    )
  })
})
