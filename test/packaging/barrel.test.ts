/** `clientele` itself: every module, or the path that it has. */
import { inspect } from "node:util"
import { assert, describe, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }
import * as clientele from "../../src/index.ts"

const modules = Object.keys(manifest.exports).flatMap((path) => /^\.\/([A-Z]\w+)$/.exec(path)?.[1] ?? [])

describe("clientele", () => {
  it("has each module for Effect under its name, or an error with its path", async () => {
    assert.deepStrictEqual(Object.keys(clientele).sort(), modules.filter((name) => name !== "Promise").sort())
    const elsewhere = Object.entries(clientele).filter(([, module]) => "importItFrom" in module)
    assert.strictEqual(elsewhere.length, 16)
    for (const [name, module] of elsewhere) {
      assert.throws(
        () => Reflect.get(module, "use"),
        `"clientele" does not export ${name}: import * as ${name} from "clientele/${name}"`
      )
      assert.strictEqual(Reflect.get(module, "importItFrom"), `clientele/${name}`)
      assert.include(Object.keys(manifest.exports), `./${name}`)
      // Printing and awaiting it is no use of it.
      assert.include(inspect(await module), `clientele/${name}`)
    }
  })

  it("has the same in its types", () => {
    const { OpenAiClient } = clientele
    // @ts-expect-error Property 'use' does not exist on type 'Elsewhere<"clientele/OpenAiClient">'
    assert.throws(() => OpenAiClient.use(), /clientele\/OpenAiClient/)
  })
})
