/**
 * `npm test`: runs all tests, then those that lean on Node's insides once more on the oldest and on the newest that
 * the package allows, and closes with one plain line of counts. Arguments go to vitest, and then
 * nothing else is run; `--worlds` runs the second part alone, `--nightly` the files named `*.nightly.ts` and nothing else.
 */
import { existsSync } from "node:fs"
import { nodeRange, provideNode } from "./nodes.ts"
import { provideServers } from "./servers.ts"
import { type Counts, vitest } from "./vitest.ts"

/** They know the wire: pools, sessions, sockets, and what becomes of them under each fault. */
const wire = ["test/transport", "test/faults"].filter((folder) => existsSync(folder))

/** Both at the same time: most of these tests wait. */
const worlds = async (): Promise<ReadonlyArray<Counts>> => {
  try {
    const nodes = nodeRange()
    return await Promise.all(
      (["oldest", "newest"] as const).map(async (which) => {
        const version = nodes[which]
        const counts = await vitest({ args: wire, node: provideNode(version), quiet: true })
        const { failed, passed } = counts
        console.log(`Node ${version}, ${wire.join(" and ")}: ${passed} passed, ${failed} failed`)
        return counts
      })
    )
  } catch (error) {
    console.error(`the oldest and the newest Node could not be tried: ${String(error)}`)
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
}

const nightly = process.argv.includes("--nightly")
const args = process.argv.slice(2).filter((arg) => arg !== "--nightly")
const alone = args.includes("--worlds")
if (!alone) provideServers()
const runs = alone ? [] : [await vitest({ args, env: nightly ? { CLIENTELE_NIGHTLY: "1" } : {} })]
if (alone || (args.length === 0 && !nightly)) runs.push(...(await worlds()))

const sum = (of: keyof Counts): number => runs.reduce((total, counts) => total + counts[of], 0)
const skipped = sum("skipped")
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exitCode = sum("failed") > 0 || sum("passed") === 0 ? 1 : 0
