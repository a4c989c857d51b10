import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { gzipSync } from "node:zlib"
import { afterAll, assert, describe, it } from "vitest"
import { openBytes } from "../../../src/cli/input/bytes.ts"
import { sampleRows } from "../../../src/cli/input/sample.ts"
import { openSource, type SourceOptions } from "../../../src/cli/input/source.ts"
import { collect, joined } from "./support.ts"

const folder = mkdtempSync(join(tmpdir(), "clientele-rows-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const file = (content: string | Buffer, ending = "csv"): string => {
  const name = join(folder, `${++files}.${ending}`)
  writeFileSync(name, content)
  return name
}

const rowsOf = async (options: SourceOptions) => {
  const source = await openSource(options)
  return { ...source, read: await collect(source.rows) }
}

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error as Error).message
  )

const CSV = "a,b\n1,é\u{1F600}\n"
const ROWS = [{ a: "1", b: "é\u{1F600}" }]

describe("a file of rows", () => {
  it("has its format by its name, and JSON by its content", async () => {
    assert.deepStrictEqual((await rowsOf({ file: file(CSV) })).read, ROWS)
    assert.deepStrictEqual((await rowsOf({ file: file(CSV.replaceAll(",", "\t"), "tsv") })).read, ROWS)
    assert.deepStrictEqual((await rowsOf({ file: file('{"a":1}\n', "ndjson") })).read, [{ a: 1 }])
    assert.strictEqual((await rowsOf({ file: file(' [{"a":1}]', "json") })).format, "json")
    assert.strictEqual((await rowsOf({ file: file('{"a":1}\n{"a":2}\n', "json") })).format, "jsonl")
    assert.strictEqual((await rowsOf({ file: file('[{"a":1}]', "txt") })).format, "json")
  })

  it("may be gzipped, in several members and by any name", async () => {
    const bytes = Buffer.concat([gzipSync("a,b\n"), gzipSync(CSV.slice(4))])
    assert.deepStrictEqual((await rowsOf({ file: file(bytes, "csv.gz") })).read, ROWS)
    assert.deepStrictEqual((await rowsOf({ file: file(bytes) })).read, ROWS)
    assert.match(
      await failure(rowsOf({ file: file(bytes.subarray(0, bytes.length - 4), "csv.gz") })),
      /can't decompress .*: .*damaged or cut off/
    )
  })

  it("may come by standard input", async () => {
    const stdin = Readable.from([Buffer.from(CSV)])
    assert.deepStrictEqual((await rowsOf({ file: "-", format: "csv", stdin })).read, ROWS)
    const unknown = rowsOf({ file: "-", stdin: Readable.from([Buffer.from(CSV)]) })
    assert.match(await failure(unknown), /can't tell the format of standard input; add --format/)
  })

  it("may be UTF-8 with a byte order mark, UTF-16, or of a named encoding", async () => {
    assert.deepStrictEqual((await rowsOf({ file: file(`\uFEFF${CSV}`) })).read, ROWS)
    assert.deepStrictEqual((await rowsOf({ file: file(Buffer.from(`\uFEFF${CSV}`, "utf16le")) })).read, ROWS)
    const latin = file(Buffer.from("a,b\n1,é\n", "latin1"))
    assert.deepStrictEqual((await rowsOf({ file: latin, encoding: "windows-1252" })).read, [{ a: "1", b: "é" }])
    assert.match(await failure(rowsOf({ file: latin })), /is not UTF-8; name its encoding, for instance --encoding/)
    assert.match(
      await failure(rowsOf({ file: latin, encoding: "klingon" })),
      /--encoding is "klingon"; expected a name/
    )
  })

  it("keeps characters whole that lie across two reads", async () => {
    const text = `a\n${"é\u{1F600}€".repeat(60_000)}\n`
    assert.strictEqual(await joined((await openBytes(file(text))).chunks), text)
    const cut = file(Buffer.from(text).subarray(0, Buffer.byteLength(text) - 2))
    assert.match(await failure(openBytes(cut).then(({ chunks }) => joined(chunks))), /is not UTF-8/)
  })

  it("that can't be read is an error that says why", async () => {
    assert.match(await failure(rowsOf({ file: join(folder, "none.csv") })), /can't read .*none\.csv: no such file/)
    assert.match(await failure(rowsOf({ file: folder, format: "csv" })), /can't read .*: it is a folder/)
    assert.match(await failure(rowsOf({ file: file("x", "xlsx") })), /save the sheet as CSV/)
    assert.match(await failure(rowsOf({ file: file("x", "txt") })), /can't tell the format of .*\.txt; add --format/)
  })

  it("that is changed while it is read is an error after its last row", async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `${i},some text that fills the file\n`)
    const name = file(`id,text\n${rows.join("")}`)
    const source = await openSource({ file: name })
    utimesSync(name, new Date(0), new Date(0))
    let read = 0
    const all = (async () => {
      for await (const items of source.rows) read += items.length
    })()
    assert.match(await failure(all), /was changed while it was read; run the same command again/)
    assert.isAbove(read, 90_000)
  })

  it("has an estimated number of rows until it is read to its end", async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i + 100_000},text of one length\n`)
    const source = await openSource({ file: file(`id,text\n${rows.join("")}`) })
    const early = source.total()
    assert.isFalse(early?.isExact)
    assert.approximately(early?.rows ?? 0, 50_000, 1000)
    await collect(source.rows)
    assert.deepStrictEqual(source.total(), { rows: 50_000, isExact: true })
  })

  it("ends at a limit", async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `{"i":${i}}\n`)
    const { head, read, total } = await rowsOf({ file: file(rows.join(""), "jsonl"), limit: 3 })
    assert.deepStrictEqual(read, [{ i: 0 }, { i: 1 }, { i: 2 }])
    assert.deepStrictEqual<unknown>(head, read)
    assert.deepStrictEqual(total(), { rows: 3, isExact: true })
  })

  it("tells the fields of its first rows", async () => {
    const { columns } = await rowsOf({ file: file('{"a":1}\nbad\n{"b":2,"a":3}\n', "jsonl") })
    assert.deepStrictEqual(columns, ["a", "b"])
  })
})

async function* numbers(count: number) {
  for (let i = 0; i < count; i += 10) yield Array.from({ length: Math.min(10, count - i) }, (_, j) => ({ i: i + j }))
}

const drawn = async (count: number, size: number, seed: number) =>
  (await collect(sampleRows(numbers(count), size, seed))).map((row) => (row as { i: number }).i)

describe("a sample", () => {
  it("has so many rows in their order, the same for a seed", async () => {
    const one = await drawn(1000, 50, 7)
    assert.strictEqual(new Set(one).size, 50)
    assert.deepStrictEqual(
      one,
      one.toSorted((a, b) => a - b)
    )
    assert.deepStrictEqual(await drawn(1000, 50, 7), one)
    assert.notDeepEqual(await drawn(1000, 50, 8), one)
    assert.deepStrictEqual(await drawn(3, 50, 7), [0, 1, 2])
  })

  it("draws early and late rows alike", async () => {
    const counts = [0, 0, 0, 0]
    for (let seed = 0; seed < 400; seed++) for (const i of await drawn(40, 4, seed)) counts[Math.floor(i / 10)]!++
    // 400 of each quarter are expected; five standard deviations are 87.
    for (const times of counts) assert.approximately(times, 400, 87)
  })
})
