/**
 * `npm test`: runs the fast tests. `--all` runs the slow ones too, and on the oldest and the newest Node that the package
 * allows those that lean on Node's insides; `--worlds` runs these alone. `--nightly` runs the files named `*.nightly.ts`,
 * and all others on those Nodes. Derived tests run on Effect 4 as well: a few, the core with `--all`, and all with `--nightly`,
 * which checks their types too; `--effect4` runs what is named of these alone. Each closes with one plain line of counts. Other arguments go to
 * vitest, which then runs what they name of the fast and the slow tests.
 */
import { join } from "node:path"
import { CORE } from "./effect4/core.ts"
import { WORKSPACE } from "./effect4/paths.ts"
import { nodeRange, provideNode } from "./nodes.ts"
import { run } from "./run.ts"
import { provideServers } from "./servers.ts"
import { type Counts, vitest } from "./vitest.ts"

/** Fast files that share their processes. A minimum keeps Vitest's pool from ending a worker as it goes idle, twice. */
const shared = ["--project=fast-shared", "--poolOptions.forks.isolate=false", "--poolOptions.forks.minForks=4"]
/** Fast files that each have a process of their own. */
const own = ["--project=fast"]
const slow = ["--project=slow"]

/** Pools, sessions, sockets, and what becomes of them under each fault. */
const wire = ["test/transport", "test/faults"]

/** Derived tests that `npm test` runs on Effect 4. `--all` runs the core, and the night all of them. */
const smokeOnEffect4 = [
  "test/lease",
  "test/ClientConfig.test.ts",
  "test/contracts/requestPath.test.ts",
  "test/ai/sandbox.test.ts",
  "test/agent/toolLoop.test.ts"
]
const onEffect4 = async (args: ReadonlyArray<string>): Promise<Counts> => {
  if (run("node", "scripts/effect4/main.ts", "--tests") !== 0) return { passed: 0, failed: 1, skipped: 0 }
  const counts = await vitest({ args, workspace: WORKSPACE })
  console.log(`Effect 4: ${counts.passed} passed, ${counts.failed} failed`)
  return counts
}

/** All derived tests, and the types of these and of the benches, which Vitest does not look at. */
const wholeOnEffect4 = async (): Promise<ReadonlyArray<Counts>> => {
  const counts = await onEffect4([])
  const hold = run("tsc", "-p", join(WORKSPACE, "tsconfig.test.json"), "--noEmit") === 0
  console.log(`Effect 4: types of tests ${hold ? "hold" : "fail"}`)
  return [counts, { passed: hold ? 1 : 0, failed: hold ? 0 : 1, skipped: 0 }]
}

const sumOf = (counted: ReadonlyArray<Counts>): Counts => {
  const sum = (of: keyof Counts): number => counted.reduce((total, counts) => total + counts[of], 0)
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") }
}

const onNode = async (version: string, folders: ReadonlyArray<string>): Promise<Counts> => {
  const options = { node: provideNode(version), quiet: true }
  const counts = sumOf([
    await vitest({ ...options, args: [...shared, ...folders] }),
    await vitest({ ...options, args: [...own, ...slow, ...folders] })
  ])
  console.log(`Node ${version}: ${counts.passed} passed, ${counts.failed} failed`)
  return counts
}

/** The same tests on the oldest and on the newest Node, at the same time: most of them wait. */
const worlds = async (folders: ReadonlyArray<string>): Promise<ReadonlyArray<Counts>> => {
  try {
    const { newest, oldest } = nodeRange()
    return await Promise.all([oldest, newest].map((version) => onNode(version, folders)))
  } catch (error) {
    console.error(`the oldest and the newest Node could not be tried: ${String(error)}`)
    return [{ passed: 0, failed: 1, skipped: 0 }]
  }
}

/** The fault matrix once for each row and protocol, whichever provider it meets: SDKs are the same on all Nodes. */
const wireOnWorlds = (): Promise<ReadonlyArray<Counts>> => {
  process.env["CLIENTELE_MATRIX"] = "protocols"
  return worlds(wire)
}

const args = process.argv.slice(2)

const counts = async (): Promise<ReadonlyArray<Counts>> => {
  switch (args[0]) {
    case undefined:
      return [await vitest({ args: shared }), await vitest({ args: own }), await onEffect4(smokeOnEffect4)]
    case "--all":
      return [
        await vitest({ args: shared }),
        await vitest({ args: [...own, ...slow] }),
        await onEffect4(CORE),
        ...(await wireOnWorlds())
      ]
    case "--worlds":
      return wireOnWorlds()
    case "--nightly":
      // Property tests draw in full.
      process.env["CLIENTELE_NIGHT"] = "1"
      return [await vitest({ args: ["--project=nightly"] }), ...(await wholeOnEffect4()), ...(await worlds([]))]
    case "--effect4":
      return [await onEffect4(args.slice(1))]
    default:
      return [await vitest({ args: ["--project=fast*", ...slow, ...args] })]
  }
}

// The fast tests start none.
if (args.length > 0) provideServers()
const { failed, passed, skipped } = sumOf(await counts())
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
