/** The file of a journal, and its lock, by themselves. */
import { spawnSync } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { open } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BatchError } from "../../src/internal/batch/errors.ts"
import { AppendFile } from "../../src/internal/batch/journal/appendFile.ts"
import * as fileJournal from "../../src/internal/batch/journal/fileJournal.ts"
import { eachLine, LineReader } from "../../src/internal/batch/journal/lineReader.ts"
import { acquire } from "../../src/internal/batch/journal/lock.ts"
import { headOf, lineOf, resultOf } from "../../src/internal/batch/journal/record.ts"
import { RecordWriter } from "../../src/internal/batch/journal/recordWriter.ts"
import { hashOf, idOf } from "../../src/internal/batch/rows/rowIdentity.ts"
import { folder } from "./support.ts"

const identity = { agent: "a", version: 1 }

const common = {
  index: 3,
  key: 'k"1',
  repeat: 2,
  row: undefined,
  usage: { input: 1, output: 2, cachedInput: 0 },
  attempts: 1,
  ms: 5,
  cached: false,
  restored: true,
  model: "m"
} as const

const done = (value: unknown, cost: number | undefined = 1e-7) => ({ ...common, cost, status: "done", value }) as const

const id = (name: string): string => idOf(hashOf(name))

/** Opens a journal, and gives what it holds. */
const scanned = (path: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* fileJournal.make(path).open(identity)
      const found: Array<readonly [id: string, failed: string | undefined, position: number]> = []
      const damaged = yield* store.scan((head, position) => found.push([head.id, head.failed, position]))
      const lines = yield* store.read(found.map(([, , position]) => position))
      return { found, damaged, values: lines.map((line) => resultOf(line!)) }
    })
  )

const append = (path: string, lines: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* fileJournal.make(path).open(identity)
      yield* store.scan(() => undefined)
      return yield* store.append(lines)
    })
  )

describe("a record", () => {
  it("comes back as it was, and its head without a parser", () => {
    const failed = {
      ...common,
      cost: undefined,
      status: "failed",
      reason: { tag: "too long", message: 'a "quote"\n', answer: "é" }
    } as const
    const cases = [done({ text: 'with "quotes", 🎬 and \u2028' }), done(null, undefined), done(0.1 + 0.2), failed]
    for (const result of cases) {
      const line = lineOf(id("x"), result, 1)
      assert.notInclude(line, "\n")
      assert.deepStrictEqual(resultOf(line), result as never)
      const tag = result.status === "failed" ? result.reason.tag : undefined
      assert.deepStrictEqual(headOf(line.slice(0, 180)), { id: id("x"), failed: tag, cost: result.cost })
    }
  })

  it("has the bound of a cost that is unknown", () => {
    const head = { id: id("x"), failed: undefined }
    const headIn = (cost: number | undefined, most: number) => headOf(lineOf(id("x"), { ...done(1), cost }, 1, most))
    assert.deepStrictEqual(headIn(undefined, 1e-7), { ...head, cost: undefined, most: 1e-7 })
    assert.deepStrictEqual(headIn(undefined, 0), { ...head, cost: undefined })
    assert.deepStrictEqual(headIn(0.5, 1), { ...head, cost: 0.5 })
  })

  it("keeps tags short and free of what its head can't hold", () => {
    const reason = { tag: `"evil",\n${"x".repeat(100)}`, message: "" }
    const line = lineOf(id("x"), { ...common, cost: 0, status: "failed", reason }, 1)
    assert.match(headOf(line.slice(0, 180))!.failed!, /^_evil_x{50,}$/)
  })

  it("is none if it is anything else", () => {
    for (const text of ["", "{}", '{"id":"short","status":"done","cost":1,', "\0\0\0\0", '{"format":"x"}']) {
      assert.strictEqual(headOf(text), undefined)
    }
    for (const line of ["", "null", "3", '{"id":"', "[]"]) assert.strictEqual(resultOf(line), undefined)
  })
})

describe("a journal's file", () => {
  it.scopedLive("gives back what was appended, by position, also lines longer than any buffer", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const texts = ["a", "b".repeat(3_000_000), "c".repeat(20_000), "é🎬"]
      const positions = yield* append(
        path,
        texts.slice(0, 2).map((text) => lineOf(id(text), done(text), 1))
      )
      const more = yield* append(
        path,
        texts.slice(2).map((text) => lineOf(id(text), done(text), 1))
      )
      const { damaged, found, values } = yield* scanned(path)
      assert.strictEqual(damaged, 0)
      assert.deepStrictEqual(
        found,
        texts.map((text, i) => [id(text), undefined, [...positions, ...more][i]!])
      )
      assert.deepStrictEqual(
        values.map((one) => one?.status === "done" && one.value),
        texts
      )
    })
  )

  it.scopedLive("passes over damaged lines, and cuts off what is torn at its end", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      yield* append(path, [lineOf(id("a"), done("a"), 1)])
      const size = statSync(path).size
      appendFileSync(path, `${"\0".repeat(50)}\n{"id":"${id("x")}","status":"done","cost":1,"val\n`)
      appendFileSync(path, `${lineOf(id("b"), done("b"), 1)}\n{"id":"${id("c")}","status":"do`)
      const { damaged, found } = yield* scanned(path)
      assert.deepStrictEqual([damaged, found.map(([id]) => id)], [2, [id("a"), id("b")]])
      assert.isTrue(readFileSync(path, "utf8").endsWith("}\n"))
      assert.isAbove(statSync(path).size, size)
    })
  )

  it.scopedLive("begins anew where its first line was torn, and in no other case", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      writeFileSync(path, '{"format":"clientele batch jour')
      assert.deepStrictEqual((yield* scanned(path)).found, [])
      assert.deepStrictEqual(JSON.parse(readFileSync(path, "utf8").split("\n")[0]!).identity, identity)
      writeFileSync(path, '{"format":"another')
      const error = yield* Effect.flip(scanned(path))
      assert.match(error.message, /is no journal of a batch/)
      assert.strictEqual(readFileSync(path, "utf8"), '{"format":"another')
      writeFileSync(path, '{"format":"clientele batch journal","version":2,"identity":{}}\n')
      assert.match((yield* Effect.flip(scanned(path))).message, /is a journal of version 2; give another path/)
    })
  )

  it.scopedLive("names each field that differs, from where it does", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.jsonl")
      const long = "word ".repeat(100)
      const open = (identity: Record<string, unknown>) => Effect.scoped(fileJournal.make(path).open(identity))
      yield* open({ prompt: `${long}one`, model: "m", old: 1 })
      const error = yield* Effect.flip(open({ prompt: `${long}two`, model: "m", new: [2] }))
      assert.deepStrictEqual(error.difference, [
        { field: "new", before: "absent", after: "[2]" },
        { field: "old", before: "1", after: "absent" },
        { field: "prompt", before: '…word word word word one"', after: '…word word word word two"' }
      ])
    })
  )
})

describe("AppendFile", () => {
  it.scopedLive("leaves nothing of what could not be written", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "f")
      const file = yield* Effect.promise(() => open(path, "wx+"))
      let room = 5
      // A disk with room for five bytes more.
      const full = {
        write: async (bytes: Buffer, from: number, length: number, at: number) => {
          if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" })
          const written = await file.write(bytes, from, Math.min(room, length), at)
          room -= written.bytesWritten
          return written
        },
        truncate: (size: number) => file.truncate(size)
      }
      const lines = new AppendFile(full as never, 0)
      assert.deepStrictEqual(yield* Effect.promise(() => lines.append(["ab"])), [0])
      const error = yield* Effect.promise(() =>
        lines.append(["cd", "ef"]).then(
          () => undefined,
          (error: Error) => error
        )
      )
      assert.strictEqual(error!.message, "full")
      assert.strictEqual(readFileSync(path, "utf8"), "ab\n")
      room = 100
      assert.deepStrictEqual(yield* Effect.promise(() => lines.append(["cd", "é", "f"])), [3, 6, 9])
      assert.strictEqual(readFileSync(path, "utf8"), "ab\ncd\né\nf\n")
      yield* Effect.promise(() => file.close())
    })
  )
})

describe("lines", () => {
  it.scopedLive("are visited whole, each with its position, up to the last that has an end", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "f")
      const lines = Array.from({ length: 5_000 }, (_, i) => `${i} ${"x".repeat((i * 37) % 900)}`)
      writeFileSync(path, `${lines.join("\n")}\ntorn`)
      const file = yield* Effect.promise(() => open(path))
      const seen: Array<readonly [string, number]> = []
      const end = yield* Effect.promise(() =>
        eachLine(file, 0, (bytes, start, end, at) => seen.push([bytes.toString("utf8", start, end), at]))
      )
      assert.deepStrictEqual(
        seen.map(([line]) => line),
        lines
      )
      assert.strictEqual(end, statSync(path).size - 4)
      const reader = new LineReader(file)
      for (const i of [0, 1, 4_999, 3, 2_500, 2_501]) {
        assert.strictEqual(yield* Effect.promise(() => reader.lineAt(seen[i]![1])), lines[i])
      }
      assert.strictEqual(yield* Effect.promise(() => reader.lineAt(end)), undefined)
      yield* Effect.promise(() => file.close())
    })
  )
})

describe("RecordWriter", () => {
  it.live("writes what comes together with one call, and reports each once it is written", () =>
    Effect.gen(function* () {
      const calls: Array<number> = []
      const append = (lines: ReadonlyArray<string>) =>
        Effect.as(
          Effect.zipRight(
            Effect.sync(() => void calls.push(lines.length)),
            Effect.sleep(1)
          ),
          lines.map(Number)
        )
      const writer = new RecordWriter({ append }, () => assert.fail("it failed"))
      const written: Array<number> = []
      for (let i = 0; i < 500; i++) writer.add(`${i}`, (position) => written.push(position))
      assert.deepStrictEqual(written, [])
      yield* Effect.promise(() => writer.flush())
      assert.deepStrictEqual([written, calls], [Array.from({ length: 500 }, (_, i) => i), [500]])
    })
  )

  it.live("keeps nothing that comes after an error", () =>
    Effect.gen(function* () {
      const errors: Array<string> = []
      const full = Effect.fail(new BatchError({ reason: "Journal", detail: "the disk is full" }))
      const writer = new RecordWriter({ append: () => full }, ({ message }) => errors.push(message))
      writer.add("1", () => assert.fail("it was written"))
      yield* Effect.promise(() => writer.flush())
      writer.add("2", () => assert.fail("it was written"))
      assert.deepStrictEqual([errors.length, writer.gathered], [1, 0])
    })
  )
})

const LOCK_FIELDS = { host: hostname(), since: "2026-01-01T00:00:00.000Z", token: "t" }

const take = (path: string) =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => acquire(path, () => undefined), catch: (error) => error as Error }),
    ({ release }) => Effect.promise(release)
  )

describe("a lock", () => {
  it.scopedLive("is taken over from a process that has ended", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const path = join(directory, "j.lock")
      const { pid } = spawnSync(process.execPath, ["-e", "0"])
      writeFileSync(path, JSON.stringify({ ...LOCK_FIELDS, pid }))
      const lock = yield* take(path)
      assert.strictEqual((JSON.parse(readFileSync(path, "utf8")) as { pid: number }).pid, process.pid)
      assert.deepStrictEqual(readdirSync(directory), ["j.lock"])
      yield* Effect.promise(lock.release)
      assert.isFalse(existsSync(path))
    })
  )

  it.scopedLive.skipIf(process.platform !== "linux")("is taken over if its process's number is another's now", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.lock")
      writeFileSync(path, JSON.stringify({ ...LOCK_FIELDS, pid: process.pid, started: "1" }))
      yield* take(path)
      assert.notStrictEqual((JSON.parse(readFileSync(path, "utf8")) as { token: string }).token, "t")
    })
  )

  it.scopedLive("of another machine holds while it is touched", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.lock")
      writeFileSync(path, JSON.stringify({ ...LOCK_FIELDS, host: "elsewhere", pid: 1 }))
      const error = yield* Effect.flip(take(path))
      assert.match(error.message, /process 1 on elsewhere, since 2026-01-01T00:00:00\.000Z\. Wait for it or end it/)
      const old = new Date(Date.now() - 120_000)
      utimesSync(path, old, old)
      yield* take(path)
    })
  )

  it.scopedLive("that was removed is written anew, each time, and not after its release", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.lock")
      const lock = yield* Effect.promise(() => acquire(path, () => assert.fail("it was lost"), 1))
      for (let round = 0; round < 3; round++) {
        rmSync(path)
        yield* Effect.promise(() => vi.waitUntil(() => existsSync(path), { interval: 1 }))
      }
      rmSync(path)
      yield* Effect.promise(lock.release)
      yield* Effect.sleep(5)
      assert.isFalse(existsSync(path))
    })
  )

  it.scopedLive("is lost to another holder alone, and only touched after what can't be read", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "j.lock")
      const lost: Array<string> = []
      const lock = yield* Effect.promise(() => acquire(path, ({ message }) => lost.push(message), 1))
      const own = readFileSync(path)
      writeFileSync(path, "torn")
      yield* Effect.sleep(5)
      writeFileSync(path, own)
      const old = new Date(Date.now() - 120_000)
      utimesSync(path, old, old)
      yield* Effect.promise(() => vi.waitUntil(() => statSync(path).mtimeMs > old.getTime() + 1_000, { interval: 1 }))
      assert.deepStrictEqual(lost, [])
      writeFileSync(path, JSON.stringify({ ...LOCK_FIELDS, pid: process.pid }))
      yield* Effect.promise(() => vi.waitUntil(() => lost.length > 0, { interval: 1 }))
      yield* Effect.promise(lock.release)
      assert.isTrue(existsSync(path))
    })
  )

  it.scopedLive("goes to one of many who want it", () =>
    Effect.gen(function* () {
      const { pid } = spawnSync(process.execPath, ["-e", "0"])
      for (let round = 0; round < 40; round++) {
        const directory = yield* folder
        const path = join(directory, "j.lock")
        writeFileSync(path, JSON.stringify({ ...LOCK_FIELDS, pid }))
        const all = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.either(take(path)), {
          concurrency: "unbounded"
        })
        assert.strictEqual(all.filter(({ _tag }) => _tag === "Right").length, 1)
        assert.deepStrictEqual(readdirSync(directory), ["j.lock"])
      }
    })
  )
})
