import * as FastCheck from "effect/FastCheck"
import { assert, describe, inject, it } from "vitest"
import { jsonArray } from "../../../src/cli/input/jsonArray.ts"
import { jsonLines } from "../../../src/cli/input/jsonLines.ts"
import { collect, inChunks } from "./support.ts"

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error as Error).message
  )

/** Chunks of the reader end between characters. */
async function* inCharacters(text: string, size: number): AsyncGenerator<Buffer> {
  const characters = [...text]
  for (let at = 0; at < characters.length; at += size) yield Buffer.from(characters.slice(at, at + size).join(""))
}

const failed = (text: string): Promise<string> => failure(collect(jsonArray("movies.json", inChunks(text))))

const value = FastCheck.jsonValue({ maxDepth: 3 })
const row = FastCheck.dictionary(FastCheck.string(), value, { maxKeys: 4 })

describe("JSON lines", () => {
  it("are rows, with blank lines left out and bad ones malformed alone", async () => {
    const rows = await collect(jsonLines("x", inChunks('{"a":1}\r\n\n  \n{"a":\n[2]\n"text"\n{"a":3}')))
    assert.deepStrictEqual(rows.slice(0, 1), [{ a: 1 }])
    assert.match(String(rows[1]), /^line 4 is invalid JSON: /)
    assert.deepStrictEqual(rows.slice(2), ["line 5 is no JSON object", "line 6 is no JSON object", { a: 3 }])
  })

  it("may be none", async () => {
    assert.deepStrictEqual(await collect(jsonLines("x", inChunks(""))), [])
    assert.deepStrictEqual(await collect(jsonLines("x", inChunks("\n\n"))), [])
  })

  it("are read whatever the chunks", async () => {
    await FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.array(row), FastCheck.integer({ min: 1, max: 50 }), async (rows, size) => {
        const text = rows.map((one) => JSON.stringify(one)).join("\n")
        assert.deepStrictEqual(
          await collect(jsonLines("x", inCharacters(text, size))),
          JSON.parse(JSON.stringify(rows))
        )
      }),
      { seed: inject("seed"), numRuns: 200 }
    )
  })
})

describe("a JSON array", () => {
  it("is one row an element, with others malformed alone", async () => {
    const rows = await collect(jsonArray("x", inChunks(' [ {"a":"],\\"}"}, 2,\n "x", {"a":[{},[]]} ] ')))
    assert.deepStrictEqual(rows, [
      { a: '],"}' },
      "element 2 is no JSON object",
      "element 3 is no JSON object",
      { a: [{}, []] }
    ])
  })

  it("may be empty", async () => {
    assert.deepStrictEqual(await collect(jsonArray("x", inChunks(" [ ] \n"))), [])
  })

  it("is read whatever the chunks", async () => {
    await FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.array(row), FastCheck.integer({ min: 1, max: 50 }), async (rows, size) => {
        const text = JSON.stringify(rows, null, 1)
        assert.deepStrictEqual(await collect(jsonArray("x", inCharacters(text, size))), JSON.parse(text))
      }),
      { seed: inject("seed"), numRuns: 200 }
    )
  })

  it("that is invalid is an error after the rows before it", async () => {
    assert.match(
      await failed('[{"a":1},'),
      /^movies\.json is no valid JSON array after element 1: it has no end; is the file/
    )
    assert.match(await failed('[{"a":1}, {bad}]'), /^movies\.json is no valid JSON array after element 1: /)
    assert.match(await failed("title,year"), /^movies\.json is no valid JSON array after element 0: /)
    assert.match(await failed('{"a":1}'), /^movies\.json is no valid JSON array after element 0: it is no array/)
  })
})
