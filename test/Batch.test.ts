/** Runs of agents that are plain Effects. `test/batch/prompt.test.ts` has those that send requests. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Agent from "../src/Agent.ts"
import * as Batch from "../src/Batch.ts"
import { RequestError, type RequestReason } from "../src/ClientError.ts"
import { collect, folder, recordsIn, rowsOf, values } from "./batch/support.ts"
import { eventually } from "./support/wait.ts"

interface Row {
  readonly title: string
}

/** Answers with the title, and notes whom it was asked for. */
const echo = () => {
  const asked: Array<string> = []
  const agent = (row: Row) =>
    Effect.sync(() => {
      asked.push(row.title)
      return row.title.toUpperCase()
    })
  return { agent, asked }
}

const uneven = (row: Row) => Effect.as(Effect.sleep(Math.random() * 5), row.title)

const nines = (row: Row) => (row.title.endsWith("9") ? Effect.fail({ _tag: "Nine" }) : Effect.succeed(1))

const failing = () => Effect.fail({ _tag: "Always" })

const requestError = (reason: RequestReason, status: number | undefined, retryAfter?: Duration.Duration) =>
  new RequestError({
    provider: "openai",
    baseURL: "https://x",
    reason,
    detail: "no",
    status,
    retryAfter,
    processed: "no",
    attempts: 1
  })

/** Fails without an answer, and then as a request does that finds no model. */
const unsent = ({ title }: Row): Effect.Effect<never, unknown> =>
  Effect.fail(title === "film 9" ? requestError("NotFound", 404) : { _tag: "Unsent" })

const bigints = (): Effect.Effect<unknown> => Effect.succeed(1n)

/** Fails as a request does that the provider wants to be sent so much later. */
const limited = (retryAfter: Duration.Duration, status: number | undefined) => () =>
  Effect.fail(requestError("RateLimited", status, retryAfter))

const failingApart = ({ title }: Row) => Effect.fail({ _tag: title === "film 1" ? "A" : "B" })

const neverSecond = (row: Row) => (row.title === "film 2" ? Effect.never : Effect.succeed(row.title))

const numbered = (row: Row, { repeat }: Batch.Call) => Effect.succeed(`${row.title} ${repeat}`)

const unwritable = (row: Row): Effect.Effect<unknown> => Effect.succeed(row.title === "film 0" ? 1n : undefined)

const thrown = function* () {
  yield* rowsOf(3)
  throw new Error("torn")
}

/** One key comes twice, and one row has none. */
const keyed = (title: string) => [
  { id: 1, title },
  { id: 2, title: "two" },
  { id: 2, title: "second" },
  { title: "none" } as { id: number; title: string }
]

describe("Batch.run", () => {
  for (const [kind, rows] of [
    ["an array", rowsOf(300)],
    ["a Stream", Stream.fromIterable(rowsOf(300))],
    ["an async iterable", Stream.toAsyncIterable(Stream.fromIterable(rowsOf(300)))],
    ["a generator", rowsOf(300).values()]
  ] as const) {
    it.effect(`gives a result for each row of ${kind}`, () =>
      Effect.gen(function* () {
        const { agent } = echo()
        const { error, progress, results } = yield* collect({ rows: rows as Iterable<Row>, agent })
        assert.strictEqual(error, undefined)
        assert.deepStrictEqual(
          values(results).toSorted(),
          rowsOf(300)
            .map(({ title }) => title.toUpperCase())
            .toSorted()
        )
        assert.deepStrictEqual([progress.done, progress.total, progress.ended], [300, 300, "complete"])
        const one = results.find(({ index }) => index === 7)!
        assert.deepStrictEqual(one, {
          index: 7,
          key: undefined,
          repeat: 1,
          row: { title: "film 7" },
          usage: { input: 0, output: 0, cachedInput: 0 },
          cost: undefined,
          attempts: 0,
          ms: one.ms,
          cached: false,
          restored: false,
          model: undefined,
          status: "done",
          value: "FILM 7"
        })
      })
    )
  }

  it.effect("ends at once for an empty input", () =>
    Effect.gen(function* () {
      const { progress, results } = yield* collect({ rows: [], agent: echo().agent })
      assert.deepStrictEqual([results, progress.total, progress.ended], [[], 0, "complete"])
    })
  )

  it.live("runs as many rows at a time as concurrency allows, and no more", () =>
    Effect.gen(function* () {
      let [running, peak] = [0, 0]
      const agent = () =>
        Effect.acquireUseRelease(
          Effect.sync(() => (peak = Math.max(peak, ++running))),
          () => Effect.sleep(1),
          () => Effect.sync(() => running--)
        )
      yield* collect({ rows: rowsOf(200), agent, concurrency: 7 })
      assert.strictEqual(peak, 7)
    })
  )

  it.live("keeps the order of the input if asked to, whatever ends first", () =>
    Effect.gen(function* () {
      const { results } = yield* collect({ rows: rowsOf(300), agent: uneven, order: "input", concurrency: 30 })
      assert.deepStrictEqual(
        results.map(({ index }) => index),
        rowsOf(300).map((_, i) => i)
      )
    })
  )

  for (const order of ["input", "completion"] as const) {
    it.live(`holds no more back than holdBack, in ${order} order, and reads no further`, () =>
      Effect.gen(function* () {
        let read = 0
        const rows = function* () {
          for (;;) yield { title: `film ${read++}` }
        }
        let begun = 0
        // The first never ends, so in input order nothing can be given.
        const agent = () => Effect.suspend(() => (begun++ === 0 && order === "input" ? Effect.never : Effect.void))
        const first = yield* Deferred.make<void>()
        const run = Batch.run({ rows: rows(), agent, order, holdBack: 20, concurrency: 5 })
        const fiber = yield* Effect.fork(
          Stream.runForEach(run, () => Effect.zipRight(Deferred.succeed(first, undefined), Effect.never))
        )
        yield* eventually(
          Effect.sync(() => begun),
          (now) => now >= 20
        )
        yield* Effect.sleep(30)
        // In completion order the consumer has taken what was there at its first turn.
        assert.isAtMost(begun, order === "input" ? 20 : 45)
        assert.isAtMost(read, begun + 64 + 1)
        yield* Fiber.interrupt(fiber)
      })
    )
  }

  it.effect("makes failures and defects results with their tag, and goes on", () =>
    Effect.gen(function* () {
      class Odd extends Error {
        override readonly name = "Odd"
      }
      const agent = ({ title }: Row): Effect.Effect<string, unknown> => {
        switch (title) {
          case "film 1":
            return Effect.fail(new Odd("no\u001b[31m\nway"))
          case "film 2":
            return Effect.die("boom")
          case "film 3":
            return new Batch.RowFailure({ tag: "too long", detail: "12 pages", answer: "Once" })
          case "film 4":
            throw new TypeError("thrown")
          case "film 5":
            return Effect.interrupt
          default:
            return Effect.succeed(title)
        }
      }
      const { progress, results } = yield* collect({ rows: rowsOf(8), agent, order: "input" })
      const tags = ["film 0", "Odd", "Defect", "too long", "Defect", "Interrupted", "film 6", "film 7"]
      assert.deepStrictEqual(values(results), tags)
      const reasons = results.flatMap((result) => (result.status === "failed" ? [result.reason] : []))
      assert.strictEqual(reasons[0]!.message, "no\\u001b[31m\\nway")
      assert.strictEqual(reasons[2]!.answer, "Once")
      assert.deepStrictEqual(progress.failures, { Odd: 1, Defect: 2, "too long": 1, Interrupted: 1 })
    })
  )

  it.effect("has bad rows fail without asking the agent", () =>
    Effect.gen(function* () {
      const { agent, asked } = echo()
      const bad = new Batch.BadRow({ message: "a quote is open", raw: '1,"' })
      const { results } = yield* collect<Row, string, never, never>({
        rows: [bad, { title: "a" }],
        agent,
        order: "input"
      })
      assert.deepStrictEqual(asked, ["a"])
      assert.deepStrictEqual(values(results), ["bad_row", "A"])
      assert.strictEqual(results[0]!.status === "failed" && results[0]!.reason.message, "a quote is open")
    })
  )

  it.effect("stops after so many failures, once rows in flight have ended", () =>
    Effect.gen(function* () {
      const options = { rows: rowsOf(1_000), agent: nines, concurrency: 1, stopAfter: { failures: 3 } }
      const { error, progress, results } = yield* collect(options)
      assert.instanceOf(error, Batch.BatchError)
      assert.strictEqual((error as Batch.BatchError).reason, "Failures")
      assert.match((error as Error).message, /^3 of 30 rows failed, most often with Nine, /)
      assert.deepStrictEqual([results.length, progress.ended], [30, "failed"])
    })
  )

  for (const [name, retryAfter, status, reason] of [
    ["ends for a wait that is longer than its patience", Duration.hours(20), 429, "Refused"],
    ["ends for a wait for which nothing is sent", Duration.seconds(90), undefined, "Refused"],
    ["goes on after a wait within its patience", Duration.seconds(90), 429, undefined]
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const { error, results } = yield* collect({ rows: rowsOf(50), agent: limited(retryAfter, status) })
        assert.strictEqual((error as Batch.BatchError | undefined)?.reason, reason)
        assert.strictEqual(results.length, reason === undefined ? 50 : 0)
      })
    )
  }

  it.scopedLive("stops after rows that fail without their agent, and values that JSON can't hold", () =>
    Effect.gen(function* () {
      const bad = Array.from({ length: 100 }, (_, i) => new Batch.BadRow({ message: "torn", raw: `${i}` }))
      const unasked = yield* collect({ rows: bad, agent: failing, stopAfter: { failures: 3 } })
      assert.match((unasked.error as Error).message, /^3 of 3 rows failed, most often with bad_row, /)
      assert.deepStrictEqual(values(unasked.results), ["bad_row", "bad_row", "bad_row"])
      const journal = Batch.journal(join(yield* folder, "j.jsonl"))
      const { error } = yield* collect({
        rows: rowsOf(100),
        agent: bigints,
        journal,
        concurrency: 1,
        stopAfter: { failures: 3 }
      })
      assert.match((error as Error).message, /^3 of 3 rows failed/)
    })
  )

  it.effect("takes a refusal for the account's while nothing was answered, whatever failed before", () =>
    Effect.gen(function* () {
      const { error, results } = yield* collect({ rows: rowsOf(20), agent: unsent, concurrency: 1 })
      assert.deepStrictEqual([(error as Batch.BatchError).reason, results.length], ["Refused", 9])
    })
  )

  it.effect("stops at a share of failures, once 100 rows have ended", () =>
    Effect.gen(function* () {
      const { results } = yield* collect({
        rows: rowsOf(1_000),
        agent: failing,
        concurrency: 1,
        stopAfter: { share: 0.5 }
      })
      assert.strictEqual(results.length, 100)
    })
  )

  it.live("drains: begins no further row, and ends with those in flight", () =>
    Effect.gen(function* () {
      const drain = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let begun = 0
      const agent = () => Effect.suspend(() => (begun++, Deferred.await(go)))
      const running = yield* Effect.fork(
        collect({ rows: rowsOf(1_000), agent, concurrency: 10, drainWhen: Deferred.await(drain) })
      )
      yield* eventually(
        Effect.sync(() => begun),
        (now) => now === 10
      )
      yield* Deferred.succeed(drain, undefined)
      yield* Effect.sleep(10)
      yield* Deferred.succeed(go, undefined)
      const { error, progress, results } = yield* Fiber.join(running)
      assert.deepStrictEqual([begun, results.length, error, progress.ended], [10, 10, undefined, "drained"])
    })
  )

  it.live("interrupts rows in flight when its consumer ends early", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const agent = (row: Row) =>
        row.title === "film 0"
          ? Effect.succeed(1)
          : Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      yield* Stream.runDrain(Stream.take(Batch.run({ rows: rowsOf(50), agent, concurrency: 10 }), 1))
      assert.strictEqual(interrupted, 10)
    })
  )

  it.effect("gives what was finished before the rows fail, and then their error", () =>
    Effect.gen(function* () {
      const rows = Stream.concat(Stream.fromIterable(rowsOf(5)), Stream.fail("broken" as const))
      const { error, results } = yield* collect({ rows, agent: echo().agent })
      assert.deepStrictEqual([results.length, error], [5, "broken"])
      const second = yield* collect({ rows: thrown(), agent: echo().agent })
      assert.deepStrictEqual([second.results.length, (second.error as Batch.BatchError).reason], [3, "Input"])
    })
  )

  it.effect("asks as often as repeat has it, each with its number", () =>
    Effect.gen(function* () {
      const { results } = yield* collect({ rows: rowsOf(2), agent: numbered, repeat: 3, order: "input" })
      assert.deepStrictEqual(values(results), ["film 0 1", "film 0 2", "film 0 3", "film 1 1", "film 1 2", "film 1 3"])
      assert.deepStrictEqual(
        results.map(({ index }) => index),
        [0, 0, 0, 1, 1, 1]
      )
    })
  )

  it.effect("counts what an agent reports, and does not know what it costs without", () =>
    Effect.gen(function* () {
      const usage = { prompt_tokens: 1_000, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 500 } }
      const agent = (row: Row, { report }: Batch.Call) =>
        Effect.sync(() => {
          if (row.title === "film 0") report({ model: "priced", usage })
          if (row.title === "film 1") report({ model: "nobody's", usage })
        })
      const prices = { priced: { input: 1, cachedInput: 0.5, output: 10 } }
      const { progress, results } = yield* collect({ rows: rowsOf(3), agent, order: "input", prices })
      assert.deepStrictEqual(
        results.map(({ cost }) => cost),
        [0.00175, undefined, undefined]
      )
      assert.deepStrictEqual(results[1]!.usage, { input: 1_000, output: 100, cachedInput: 500 })
      assert.deepStrictEqual([results[1]!.model, results[1]!.attempts], ["nobody's", 1])
      assert.deepStrictEqual([progress.cost, progress.unpriced, progress.usage.input], [0.00175, 2, 2_000])
    })
  )

  it.effect("refuses options that can't be used, before anything is read", () =>
    Effect.gen(function* () {
      const { agent } = echo()
      const rows = rowsOf(1)
      const cases: ReadonlyArray<readonly [object, RegExp]> = [
        [{ concurrency: 0 }, /^option concurrency is 0; expected an integer of at least 1$/],
        [{ order: "random" }, /^option order is a string of 6 characters; expected "completion" or "input"$/],
        [{ stopAfter: { share: 2 } }, /^option stopAfter\.share is 2; /],
        [
          { retryFailed: "Timeout" },
          /^option retryFailed is a string of 7 characters; expected true, false or an array/
        ],
        [{ maxCost: 1 }, /^maxCost can't be kept: the agent is not of Batch\.prompt/],
        [{ cache: Batch.cache("/nowhere") }, /^option version is undefined; expected one, or a named Agent/],
        [{ agent: 3 }, /^option agent is 3; expected a function of a row$/],
        [{ rows: 3 }, /^rows are no Stream, iterable or async iterable$/]
      ]
      for (const [option, message] of cases) {
        const { error } = yield* collect<Row, string, never, never>({ rows, agent, ...option } as never)
        assert.strictEqual((error as Batch.BatchError).reason, "Options")
        assert.match((error as Error).message, message)
      }
    })
  )

  it.effect("takes a named Agent", () =>
    Effect.gen(function* () {
      const agent = Agent.make({ name: "shout", run: (row: Row) => Effect.succeed(row.title.toUpperCase()) })
      assert.deepStrictEqual(values((yield* collect({ rows: rowsOf(1), agent })).results), ["FILM 0"])
    })
  )
})

describe("a run with a journal", () => {
  it.scoped("does only the rows that are new, and gives the others from it", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const first = echo()
      const journal = Batch.journal(path)
      yield* collect({ rows: rowsOf(10), agent: first.agent, journal })
      const second = echo()
      const again = yield* collect({ rows: rowsOf(15).toReversed(), agent: second.agent, journal, order: "input" })
      assert.deepStrictEqual(second.asked, ["film 14", "film 13", "film 12", "film 11", "film 10"])
      assert.deepStrictEqual(
        values(again.results),
        rowsOf(15)
          .map(({ title }) => title.toUpperCase())
          .toReversed()
      )
      assert.deepStrictEqual(
        again.results.map(({ index, restored }) => [index, restored]),
        rowsOf(15).map((_, i) => [i, i >= 5])
      )
      assert.deepStrictEqual(again.results[14]!.row, { title: "film 0" })
      const third = yield* collect({ rows: rowsOf(15), agent: second.agent, journal, replay: false })
      assert.deepStrictEqual([third.results.length, third.progress.restored, third.progress.done], [0, 15, 15])
      assert.strictEqual(recordsIn(path).length, 15)
    })
  )

  it.scoped("takes equal rows for separate ones", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const journal = Batch.journal(path)
      const { agent, asked } = echo()
      const twice = [...rowsOf(2), ...rowsOf(2)]
      yield* collect({ rows: twice.slice(0, 3), agent, journal })
      yield* collect({ rows: twice, agent, journal })
      assert.deepStrictEqual(asked.toSorted(), ["film 0", "film 0", "film 1", "film 1"])
      assert.strictEqual(new Set(recordsIn(path).map(({ id }) => id)).size, 4)
    })
  )

  it.scoped("keeps failures, and does them again if asked to, by tag", () =>
    Effect.gen(function* () {
      const journal = Batch.journal(join(yield* folder, "j.jsonl"))
      yield* collect({ rows: rowsOf(4), agent: failingApart, journal })
      const run = (retryFailed: boolean | ReadonlyArray<string>) => {
        const { agent, asked } = echo()
        return Effect.map(collect({ rows: rowsOf(4), agent, journal, retryFailed, order: "input" }), ({ results }) => ({
          asked,
          values: values(results)
        }))
      }
      assert.deepStrictEqual(yield* run(false), { asked: [], values: ["B", "A", "B", "B"] })
      assert.deepStrictEqual(yield* run(["A", "C"]), { asked: ["film 1"], values: ["B", "FILM 1", "B", "B"] })
      const all = yield* run(true)
      assert.deepStrictEqual(all, {
        asked: ["film 0", "film 2", "film 3"],
        values: ["FILM 0", "FILM 1", "FILM 2", "FILM 3"]
      })
      assert.deepStrictEqual((yield* run(true)).asked, [])
    })
  )

  it.scoped(
    "knows rows by their key, does those again whose content has changed, and fails a key that comes twice",
    () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "j.jsonl")
        const journal = Batch.journal(path)
        const first = echo()
        const one = yield* collect({ rows: keyed("one"), agent: first.agent, journal, key: "id", order: "input" })
        assert.deepStrictEqual(values(one.results), ["ONE", "TWO", "duplicate_key", "missing_key"])
        assert.deepStrictEqual(
          one.results.map(({ key }) => key),
          ["1", "2", "2", undefined]
        )
        const second = echo()
        const two = yield* collect({ rows: keyed("other"), agent: second.agent, journal, key: "id", order: "input" })
        assert.deepStrictEqual(second.asked, ["other"])
        assert.deepStrictEqual(values(two.results), ["OTHER", "TWO", "duplicate_key", "missing_key"])
        assert.strictEqual(two.progress.changed, 1)
      })
  )

  it.effect("takes a key within a column", () =>
    Effect.gen(function* () {
      const rows = [
        { title: "a", author: { id: 7 } },
        { title: "b", author: null },
        { title: "c", "author.id": "x" }
      ]
      const { results } = yield* collect({ rows, agent: echo().agent, key: "author.id", order: "input" })
      assert.deepStrictEqual(
        results.map(({ key }) => key),
        ["7", undefined, "x"]
      )
    })
  )

  it.scoped("refuses another identity with the difference, or begins a file beside it", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "films.journal.jsonl")
      const { agent, asked } = echo()
      const rows = rowsOf(2)
      yield* collect({ rows, agent, version: "v1", journal: Batch.journal(path) })
      const { error, results } = yield* collect({ rows, agent, version: "v2", journal: Batch.journal(path) })
      const { difference, message, reason } = error as Batch.BatchError
      assert.deepStrictEqual([reason, results], ["Changed", []])
      assert.deepStrictEqual(difference, [{ field: "version", before: '"v1"', after: '"v2"' }])
      assert.include(message, 'version was "v1" and is "v2"')
      let opened = ""
      const beside = Batch.journal(path, { whenChanged: "new", onOpen: (path) => (opened = path) })
      for (let i = 0; i < 2; i++) yield* collect({ rows, agent, version: "v2", journal: beside })
      assert.strictEqual(opened, path.replace(".jsonl", ".2.jsonl"))
      assert.strictEqual(asked.length, 4)
      assert.deepStrictEqual([recordsIn(path).length, recordsIn(opened).length], [2, 2])
    })
  )

  it.scoped("is refused while another run has it, and free once that has ended", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const options = { rows: rowsOf(1), journal: Batch.journal(path) }
      const begun = yield* Deferred.make<void>()
      const running = yield* Effect.fork(
        collect({ ...options, agent: () => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never) })
      )
      yield* Deferred.await(begun)
      const { error } = yield* collect({ ...options, agent: echo().agent })
      const { holder, message, reason } = error as Batch.BatchError
      assert.deepStrictEqual([reason, holder?.pid], ["Locked", process.pid])
      assert.match(
        message,
        new RegExp(`^another run has this journal: process ${process.pid}, since 2.*remove .*\\.lock$`)
      )
      yield* Fiber.interrupt(running)
      const after = yield* collect({ ...options, agent: echo().agent })
      assert.deepStrictEqual([after.error, values(after.results)], [undefined, ["FILM 0"]])
    })
  )

  it.scoped("leaves files of others as they are", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "notes.jsonl")
      writeFileSync(path, '{"mine":1}\n')
      const { error } = yield* collect({ rows: rowsOf(1), agent: echo().agent, journal: Batch.journal(path) })
      assert.match(
        (error as Error).message,
        /notes\.jsonl is no journal of a batch; give another path, it is left as it is$/
      )
      const missing = Batch.journal(join(path, "..", "none", "j.jsonl"))
      const second = yield* collect({ rows: rowsOf(1), agent: echo().agent, journal: missing })
      assert.match(
        (second.error as Error).message,
        /can't open .*: the directory does not exist; make it first \(ENOENT\)$/
      )
    })
  )

  it.scoped("fails a row whose value JSON can't hold, and goes on", () =>
    Effect.gen(function* () {
      const journal = Batch.journal(join(yield* folder, "j.jsonl"))
      const { results } = yield* collect({ rows: rowsOf(2), agent: unwritable, journal, order: "input" })
      assert.deepStrictEqual(values(results), ["value", undefined])
      assert.deepStrictEqual(
        values((yield* collect({ rows: rowsOf(2), agent: unwritable, journal, order: "input" })).results),
        ["value", null]
      )
    })
  )
})

describe("Batch.readJournal", () => {
  it.scopedLive("gives the identity, the counts and the current records, also while a run has it", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const journal = Batch.journal(path)
      yield* collect({ rows: rowsOf(3), agent: failing, journal, version: 1 })
      yield* Effect.forkScoped(collect({ rows: rowsOf(3), agent: neverSecond, journal, version: 1, retryFailed: true }))
      const reading = yield* eventually(
        Effect.sync(() => recordsIn(path).length),
        (lines) => lines === 5
      ).pipe(Effect.zipRight(Batch.readJournal(path)))
      assert.deepStrictEqual(
        [reading.identity, reading.rows, reading.damaged],
        [{ agent: "a function", version: 1 }, 3, 0]
      )
      const records = [...(yield* Stream.runCollect(reading.records))]
      assert.deepStrictEqual(values(records), ["Always", "film 0", "film 1"])
      assert.strictEqual([...(yield* Stream.runCollect(Batch.records(path)))].length, 3)
    })
  )
})
