/**
 * The contract of the package on a runtime: `contract.ts ORIGIN CONTROL_ORIGIN SECURE_ORIGIN CA_FILE PLAIN_ORIGIN` prints a line of JSON for
 * each case, and ends by itself, with status 1 if one failed. Node, Bun and Deno run it as it stands.
 */
import process from "node:process"
import { cases, type Counted, type World } from "./cases.ts"
import { special } from "./special.ts"
import { subjects } from "./subjects.ts"

const [, , origin = "", control = "", secure = "", ca = "", plain = ""] = process.argv

const world: World = {
  origin,
  counted: async () => (await (await fetch(`${control}/__sandbox/stats`)).json()) as Counted,
  reset: async () => void (await fetch(`${control}/__sandbox/reset`, { method: "POST" }).then((done) => done.text()))
}

let failed = 0

const run = async (name: string, f: () => Promise<void>): Promise<void> => {
  let problem: string | undefined
  const since = performance.now()
  try {
    await world.reset()
    await f()
  } catch (error) {
    failed++
    problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const ms = Math.round(performance.now() - since)
  console.log(JSON.stringify(problem === undefined ? { name, ms } : { name, ms, problem }))
}

for (const subject of subjects) {
  for (const [name, hold] of Object.entries(cases)) await run(`${subject.name}: ${name}`, () => hold(subject, world))
}
for (const [name, hold] of Object.entries(special({ ca, plain, secure, world }))) await run(name, hold)
console.log(JSON.stringify({ name: "the end", failed }))
if (failed > 0) process.exitCode = 1
