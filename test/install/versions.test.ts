import { assert, describe, it } from "vitest"
import { effectProblem, nodeProblem } from "../../src/internal/install/requirements.ts"
import { installed, satisfies } from "../../src/internal/install/versions.ts"
import { effects } from "./effects.ts"
import manifest from "../../package.json" with { type: "json" }

describe("satisfies", () => {
  it.each([
    ["3.22.4", "^3.22.4", true],
    ["3.23.0", "^3.22.4", true],
    ["3.22.3", "^3.22.4", false],
    ["4.0.0", "^3.22.4", false],
    ["0.97.3", "^0.97.2", true],
    ["0.98.0", "^0.97.2", false],
    ["5.99.0", "^6.0.0 || ^7.0.0", false],
    ["7.59.0", "^6.0.0 || ^7.0.0", true],
    ["24.21.0", ">=22.19", true],
    ["22.18.9", ">=22.19", false],
    ["1.0.0", "latest", false]
  ])("%s is within %s: %s", (version, range, expected) => {
    assert.strictEqual(satisfies(version, range), expected)
  })

  it("reads each range of this package's own manifest", () => {
    for (const [name, range] of Object.entries<string>(manifest.peerDependencies)) {
      const version = installed(name, import.meta.dirname)
      assert.isTrue(version !== undefined && satisfies(version, range), `${name} ${version} ${range}`)
    }
  })
})

describe("installed", () => {
  it("is undefined for a missing package", () => {
    assert.isUndefined(installed("no-such-package-anywhere", import.meta.dirname))
  })
})

describe("requirements", () => {
  it("accept the Effects of their line alone", () => {
    const { bad, good } = effects
    assert.deepStrictEqual(
      [...good, ...bad].filter((version) => effectProblem(version)),
      bad
    )
  })

  it("accept any Node from 22.19, and other runtimes", () => {
    const bad = ["18.20.0", "20.20.2", "22.18.0"]
    const all = [...bad, "22.19.0", "23.0.0", "24.21.0"]
    assert.deepStrictEqual(
      all.filter((node) => nodeProblem({ node })),
      bad
    )
    const others = [{ node: "20.11.1", deno: "2.0.0" }, { node: "20.0.0", bun: "1.1.0" }, {}, undefined]
    assert.deepStrictEqual(
      others.map((versions) => nodeProblem(versions)),
      [undefined, undefined, undefined, undefined]
    )
  })
})
