/** Runs that are killed, or that others start meanwhile, or that run out of disk. */
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import type { BatchEnd, BatchWork } from "../support/children/batch.ts"
import { eventually } from "../support/wait.ts"
import { folder, recordsIn } from "./support.ts"

const CONCURRENCY = 8
const KILLS = 20

const workIn = (path: string, sandbox: Sandbox.Sandbox, rows = 1_000): BatchWork => ({
  baseURL: sandbox.baseURL("openai"),
  journal: join(path, "journal.jsonl"),
  rows,
  concurrency: CONCURRENCY,
  bad: 300,
  garbled: 500
})

const start = (work: BatchWork, node?: ReadonlyArray<string>) => Child.run("batch.ts", [JSON.stringify(work)], {}, node)

const begun = (child: Child.Child) =>
  eventually(
    Effect.sync(() => child.stdout()),
    (text) => text.startsWith("begun")
  )

const endOf = (child: Child.Child): Effect.Effect<BatchEnd> =>
  Effect.map(
    Effect.promise(() => child.ended),
    ({ stderr, stdout }) => {
      const line = stdout.trim().split("\n").at(-1)!
      assert.match(line, /^\{/, `${stdout}${stderr}`)
      return JSON.parse(line) as BatchEnd
    }
  )

const whole = (text: string): number => text.split("\n").length - 2

describe("a batch that is killed", () => {
  it.live(
    "loses no recorded row and repeats only those in flight, twenty times over",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 40 })
        const work = workIn(yield* folder, sandbox)
        let inFlight = 0
        for (let kill = 0; kill < KILLS; kill++) {
          const before = kill === 0 ? 0 : whole(readFileSync(work.journal, "utf8"))
          const requests = sandbox.stats().requests
          const child = yield* start(work)
          yield* begun(child)
          if (kill === 0) {
            const records = Effect.sync(() => whole(readFileSync(work.journal, "utf8")))
            yield* eventually(records, (count) => count > 0)
          }
          yield* Effect.sleep(Math.random() * 250)
          child.kill("SIGKILL")
          const { signal, stdout } = yield* Effect.promise(() => child.ended)
          assert.strictEqual(signal, "SIGKILL", `it was killed while it ran, and printed ${stdout}`)
          const sent = sandbox.stats().requests - requests
          const recorded = whole(readFileSync(work.journal, "utf8")) - before
          // The bad row is recorded and not sent; the garbled one is sent twice.
          const lost = sent - recorded
          assert.isAtMost(lost, 3 * CONCURRENCY, "rows in flight: those at a time, and those that were being written")
          inFlight += Math.max(0, lost)
        }
        const end = yield* endOf(yield* start(work))
        assert.deepStrictEqual(end, {
          results: 1_000,
          restored: end.restored,
          failures: { bad_row: 1, schema: 1 },
          error: null
        })
        const records = recordsIn(work.journal)
        assert.strictEqual(records.length, 1_000)
        assert.strictEqual(new Set(records.map(({ id }) => id)).size, 1_000)
        const repairs = 1
        assert.isAtMost(sandbox.stats().requests, 999 + repairs + inFlight + 1)
        assert.isAtLeast(sandbox.stats().requests, 999 + repairs)
        assert.isAbove(end.restored, 0)
      }).pipe(Effect.scoped),
    180_000
  )

  it.live("cuts off a torn last line, and does its row again", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({})
      const work = workIn(yield* folder, sandbox, 20)
      assert.strictEqual((yield* endOf(yield* start(work))).results, 20)
      const text = readFileSync(work.journal, "utf8")
      writeFileSync(work.journal, text.slice(0, -40))
      const end = yield* endOf(yield* start(work))
      assert.deepStrictEqual(end, { results: 20, restored: 19, failures: {}, error: null })
      assert.strictEqual(recordsIn(work.journal).length, 20)
      assert.strictEqual(sandbox.stats().requests, 21)
    }).pipe(Effect.scoped)
  )
})

describe("a journal that another run has", () => {
  it.live("refuses the second run, and names the process that has it", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ latency: 100 })
      const work = workIn(yield* folder, sandbox, 200)
      const first = yield* start(work)
      yield* begun(first)
      const second = yield* endOf(yield* start(work))
      assert.match(second.error!, new RegExp(`another run has this journal: process ${first.pid}, since 20`))
      assert.strictEqual(second.results, 0)
      const end = yield* endOf(first)
      assert.deepStrictEqual([end.results, end.error], [200, null])
      assert.strictEqual(recordsIn(work.journal).length, 200)
    }).pipe(Effect.scoped)
  )
})

describe("a disk that is full", () => {
  it.live("ends the run with what to do, and leaves whole records, from which the next run goes on", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({})
      const work = workIn(yield* folder, sandbox, 400)
      // Blocks of 512 bytes. Past them writes fail with EFBIG, since SIGXFSZ is ignored.
      const limited = ["sh", "-c", `trap "" XFSZ; ulimit -f 40; exec "$@"`, "sh", process.execPath]
      const end = yield* endOf(yield* start(work, limited))
      assert.match(
        end.error!,
        /can't write .*journal\.jsonl: the file has reached the largest size allowed .*\(EFBIG\)$/
      )
      const text = readFileSync(work.journal, "utf8")
      assert.isTrue(text.endsWith("}\n"))
      assert.isAtMost(statSync(work.journal).size, 40 * 512)
      const kept = recordsIn(work.journal).length
      assert.isAbove(kept, 0)
      const next = yield* endOf(yield* start(work))
      assert.deepStrictEqual([next.results, next.restored, next.error], [400, kept, null])
    }).pipe(Effect.scoped)
  )
})
