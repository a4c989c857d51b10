import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { assert, describe, it } from "vitest"
import { breaches, circles, downward } from "../../scripts/layers.ts"

/** Lines of a rule on a source folder with these files. */
const linesOf = (
  rule: (src: string) => ReadonlyArray<string>,
  files: Readonly<Record<string, string>>
): ReadonlyArray<string> => {
  const src = mkdtempSync(join(tmpdir(), "clientele-layers-"))
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(src, file)), { recursive: true })
      writeFileSync(join(src, file), text)
    }
    return rule(src)
  } finally {
    rmSync(src, { recursive: true, force: true })
  }
}

const breachesOf = (files: Readonly<Record<string, string>>) => linesOf(breaches, files)

describe("the order of folders", () => {
  it("holds for the sources", () => {
    assert.deepStrictEqual([...downward(), ...breaches(resolve(import.meta.dirname, "../../src"))], [])
  })

  it("admits what a folder's arrows reach, through others too", () => {
    const files = { "internal/transport/a.ts": `import "../util/b.ts"\nimport type { E } from "../../ClientError.ts"` }
    assert.deepStrictEqual(breachesOf(files), [])
  })

  it("refuses an import the other way round, of values, of types and of a public module", () => {
    const files = {
      "internal/util/a.ts": `import { b } from "../http/b.ts"`,
      "internal/http/b.ts": `export type T = import("../quota/c.ts").T\nimport type { Quota } from "../../Quota.ts"`
    }
    assert.deepStrictEqual(breachesOf(files), [
      "internal/http/b.ts: http must not import quota (internal/quota/c.ts)",
      "internal/http/b.ts: http must not import quota (Quota.ts)",
      "internal/util/a.ts: util must not import http (internal/http/b.ts)"
    ])
  })

  it("refuses a file that is in no folder of the table", () => {
    const advice = "belongs to no folder of scripts/layers.ts. Move it to one, or add its folder to the table"
    assert.deepStrictEqual(breachesOf({ "internal/loose.ts": "", "internal/attic/a.ts": "", "Unknown.ts": "" }), [
      `Unknown.ts: ${advice}`,
      `internal/attic/a.ts: ${advice}`,
      `internal/loose.ts: ${advice}`
    ])
  })

  it("admits no circle of modules, by types either, but between a public module and its implementation", () => {
    assert.deepStrictEqual(circles(resolve(import.meta.dirname, "../../src")), [])
    const files = {
      "internal/util/a.ts": `import type { B } from "./b.ts"`,
      "internal/util/b.ts": `import { a } from "./a.ts"`,
      "internal/lease/map.ts": `import type { Lease } from "../../LeaseMap.ts"`,
      "LeaseMap.ts": `import { make } from "./internal/lease/map.ts"`
    }
    assert.deepStrictEqual(linesOf(circles, files), [
      "internal/util/a.ts -> internal/util/b.ts -> internal/util/a.ts: a circle. Move what they share to a third module"
    ])
  })

  it("admits no circle of folders", () => {
    assert.deepStrictEqual(downward({ a: ["b"], b: ["a"] }), ["a -> b: arrows lead up the table only"])
  })
})
