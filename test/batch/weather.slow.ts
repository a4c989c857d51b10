/** Long waits and large inputs: what a batch is for. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import * as Batch from "../../src/Batch.ts"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { collect, folder, promptAt, recordsIn, rowsOf } from "./support.ts"

const MEBI = 1 << 20

const lengthOf = ({ text }: { readonly text: string }) => Effect.succeed(text.length)

const endless = ({ title }: { readonly title: string }) =>
  title === "film 9" ? Effect.uninterruptible(Effect.never) : Effect.succeed(1)

describe("a batch in a brownout", () => {
  it.live(
    "answers at least 99 % of its rows where every other request fails",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5 })
        sandbox.faults.push({ match: { every: 2 }, fault: { type: "status", status: 503 } })
        const agent = yield* promptAt(sandbox)
        const { error, progress } = yield* collect({ rows: rowsOf(400), agent, concurrency: 200 })
        assert.strictEqual(error, undefined)
        assert.isAtLeast(progress.done, 396)
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped),
    300_000
  )

  it.live(
    "loses no row while nothing is answered for six seconds",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.make({ latency: 5 })
        sandbox.faults.push({ fault: { type: "status", status: 503 } })
        const agent = yield* promptAt(sandbox)
        yield* Effect.forkScoped(
          Effect.delay(
            Effect.sync(() => sandbox.faults.replace([])),
            "6 seconds"
          )
        )
        const { error, progress } = yield* collect({ rows: rowsOf(300), agent, concurrency: 100 })
        assert.deepStrictEqual([error, progress.done, progress.failed], [undefined, 300, 0])
      }).pipe(Effect.provide(ClientLayer.layer()), Effect.scoped),
    300_000
  )
})

describe("a large input", () => {
  it.live(
    "of 2 GB in rows of 1 MB is done in constant memory",
    () =>
      Effect.gen(function* () {
        const cell = "x".repeat(MEBI)
        const rows = function* () {
          for (let i = 0; i < 2_048; i++) yield { text: `${i} ${cell}` }
        }
        globalThis.gc!()
        const before = process.memoryUsage().rss
        let most = 0
        const journal = Batch.journal(join(yield* folder, "j.jsonl"))
        const run = Batch.run({ rows: rows(), agent: lengthOf, journal, concurrency: 8, holdBack: 16 })
        let results = 0
        yield* Stream.runForEach(run, () =>
          Effect.sync(() => {
            most = Math.max(most, process.memoryUsage.rss())
            results++
          })
        )
        assert.strictEqual(results, 2_048)
        // Garbage counts too, as much of it as V8 leaves; rows that were kept would be all 2 GB.
        assert.isAtMost((most - before) / MEBI, 1_024)
      }).pipe(Effect.scoped),
    300_000
  )
})

describe("a run that is broken off", () => {
  it.scopedLive("has its finished rows in the journal, and does not wait for ever for an agent that does not end", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const run = Batch.run({ rows: rowsOf(10), agent: endless, journal: Batch.journal(path) })
      const since = performance.now()
      yield* Stream.runDrain(Stream.take(run, 9))
      assert.isAtLeast(performance.now() - since, 9_000)
      assert.strictEqual(recordsIn(path).length, 9)
    })
  )
})
