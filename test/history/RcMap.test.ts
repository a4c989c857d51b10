/**
 * The same commands and checkers aimed at effect's own RcMap (3.22.4): they find what LeaseMap exists to avoid. Each row
 * is a defect, what it takes to meet it, and the rule that it breaks; LeaseMap keeps the rule under the same runs. When
 * RcMap mends one, its row fails, and says that a part of LeaseMap may go.
 */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { checkValues } from "./checkValues.ts"
import { checkWaits } from "./checkWaits.ts"
import { commands, plainPlan, type Plan, play, type Setup } from "./leaseRun.ts"
import { bare, type MakeSubject, ours } from "./leaseSubjects.ts"
import { mended } from "./mended.ts"
import { patience } from "./runs.ts"

interface Defect {
  readonly rule: string
  readonly setup?: Partial<Setup>
  readonly plan?: Partial<Plan>
  readonly commands: Parameters<typeof commands>
}

/** A fiber that goes on until it has to wait. */
const unhurried = fc.constant(2_048)
const short = fc.integer({ min: 12, max: 60 })
const one = fc.constant("a")
const keys = fc.constantFrom("a", "b", "c")

const borrowed: Defect["commands"] = [{ get: 2, end: 1, invalidate: 1 }, unhurried, one]

const defects: Readonly<Record<string, Defect>> = {
  "stampede: fibers that get one key at once build it several times": {
    rule: "one live value a key",
    commands: [{ get: 2, end: 1 }, short, one]
  },
  "invalidated while borrowed, idle time 0: the old borrower's release removes the replacement's entry": {
    rule: "one live value a key",
    setup: { idleTimeToLive: 0 },
    commands: borrowed
  },
  "invalidated while borrowed, finite idle time: the end of the old value's removes the replacement's entry": {
    rule: "one live value a key",
    setup: { idleTimeToLive: 10 },
    commands: [{ get: 2, end: 1, invalidate: 1, pass: 1, quiet: 1 }, unhurried, one]
  },
  "invalidated while borrowed, infinite idle time: the old value is never released": {
    rule: "released exactly once",
    setup: { idleTimeToLive: Infinity },
    commands: borrowed
  },
  "a failed lookup is remembered for the idle time": {
    rule: "a failure is not remembered",
    plan: { fails: "before it acquires" },
    commands: [{ get: 1, quiet: 1 }, unhurried, one]
  },
  "at capacity it refuses, though idle values could go": {
    rule: "refused for cause",
    setup: { maxEntries: 1, capacity: 1 },
    commands: [{ get: 1, end: 1, quiet: 1 }, unhurried, keys]
  },
  "the first who gets a value bakes its own context into it": {
    rule: "a build sees the maker's world",
    commands: [{ get: 1 }, unhurried, one]
  },
  "who gets from a closed map is interrupted, with no error": {
    rule: "nobody is interrupted by the map",
    commands: [{ get: 1, close: 1 }, unhurried, one]
  },
  "closing releases one after the other": {
    rule: "closing releases all at once",
    plan: { drains: 3 },
    commands: [{ get: 2, close: 1, quiet: 1 }, unhurried, keys]
  },
  "a finalizer that dies keeps the others from being released": {
    rule: "released exactly once",
    plan: { dies: true },
    commands: [{ get: 2, end: 1, close: 1 }, unhurried, keys]
  }
}

/** The first breach of its rule within so many schedules. */
const look = async (
  make: MakeSubject,
  numRuns: number,
  { commands: words, plan, rule, setup }: Defect
): Promise<string | undefined> => {
  const all: Setup = {
    idleTimeToLive: 10,
    capacity: Infinity,
    maxEntries: Infinity,
    acquireTimeout: 0,
    live: false,
    plans: [{ ...plainPlan, ...plan }],
    ...setup
  }
  let found: string | undefined
  await fc.check(
    fc.asyncProperty(fc.scheduler(), commands(...words), async (tasks, given) => {
      const history = await play(make, tasks, all, given)
      found = [...checkValues(history, all), ...checkWaits(history, all)].find((one) => one.rule === rule)?.what
      return found === undefined
    }),
    { numRuns, endOnFailure: true }
  )
  return found
}

describe("histories of bare RcMap", () => {
  it(
    "have every defect that LeaseMap was made for, and those of LeaseMap have none",
    async () => {
      const found = { rcMap: [] as Array<string>, leaseMap: [] as Array<string> }
      for (const [name, defect] of Object.entries(defects)) {
        if ((await look(bare, 500, defect)) !== undefined) found.rcMap.push(name)
        const inOurs = await look(ours, 25, defect)
        if (inOurs !== undefined) found.leaseMap.push(`${name}: ${inOurs}`)
      }
      const expected = Object.keys(defects).filter((name) => !mended.has(name))
      assert.deepStrictEqual(found, { rcMap: expected, leaseMap: [] })
    },
    patience
  )
})
