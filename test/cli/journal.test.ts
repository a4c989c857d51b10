/** The journal and the agent of a command's run, as its identity needs them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import * as Effect from "effect/Effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { UsageError } from "../../src/cli/exit.ts"
import { runJournal } from "../../src/cli/run/journal.ts"
import { makeWork, type Work } from "../../src/cli/run/work.ts"

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clientele-cli-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (onOpen: Effect.Effect<void, UsageError>) => {
  const opened: Array<boolean> = []
  const plan = { file: join(folder, "out.journal.jsonl"), whenChanged: "refuse", fsync: undefined } as const
  const journal = runJournal(plan, ({ isOld }) => {
    opened.push(isOld)
    return onOpen
  })
  return Effect.scoped(Effect.as(journal.open({ agent: "a" }), opened))
}

const refusal = Effect.fail(new UsageError("out.jsonl exists"))

describe("the journal of a command's run", () => {
  it("is not left by a run whose file of results is refused", async () => {
    const error = await Effect.runPromise(Effect.flip(open(refusal)))
    assert.strictEqual(error.reason, "Options")
    assert.isFalse(existsSync(join(folder, "out.journal.jsonl")))
    assert.isFalse(existsSync(join(folder, "out.journal.jsonl.lock")))
    assert.deepStrictEqual(await Effect.runPromise(open(Effect.void)), [false])
  })

  it("stays if it was there before", async () => {
    await Effect.runPromise(open(Effect.void))
    const content = readFileSync(join(folder, "out.journal.jsonl"), "utf8")
    await Effect.runPromise(Effect.flip(open(refusal)))
    assert.strictEqual(readFileSync(join(folder, "out.journal.jsonl"), "utf8"), content)
  })
})

describe("the agent of a module", () => {
  it("is known by its file, since two may have one version", async () => {
    const file = join(folder, "agent.mjs")
    writeFileSync(file, 'export const version = "1"; export default () => 1')
    const made: Effect.Effect<Work, unknown> = makeWork({ kind: "agent", file }, {})
    const { agent, version } = await Effect.runPromise(made)
    assert.deepStrictEqual([(agent as { agentName?: string }).agentName, version], [relative("", file), "1"])
  })
})
