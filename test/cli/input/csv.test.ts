import * as FastCheck from "effect/FastCheck"
import { assert, describe, inject, it } from "vitest"
import { csvTable } from "../../../src/cli/input/csv.ts"
import { stringify } from "../../../src/cli/vendor/csv.ts"
import { collect, inChunks } from "./support.ts"

const read = async (text: string, delimiter = ",", size = 7) => {
  const { columns, notes, rows } = await csvTable("x.csv", inChunks(text, size), delimiter)
  return { columns, notes, rows: await collect(rows) }
}

describe("CSV", () => {
  it("has columns by its first line, and rows of texts", async () => {
    const { columns, rows } = await read("title,year\nAlien,1979\nBrazil,1985\n")
    assert.deepStrictEqual(columns, ["title", "year"])
    assert.deepStrictEqual(rows, [
      { title: "Alien", year: "1979" },
      { title: "Brazil", year: "1985" }
    ])
  })

  it("ends lines by LF, CRLF or CR, the last one or not", async () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      for (const last of [end, ""]) {
        const { rows } = await read(`a,b${end}1,2${end}${end}3,${last}`, ",", 1)
        assert.deepStrictEqual(rows, [
          { a: "1", b: "2" },
          { a: "3", b: "" }
        ])
      }
    }
  })

  it("holds delimiters, line ends, doubled quotes and emoji within quotes", async () => {
    const text = 'a,b\n"x, ""y""\r\nz \u{1F600}",é\n'
    for (const size of [1, 2, 3, 1000]) {
      assert.deepStrictEqual((await read(text, ",", size)).rows, [{ a: 'x, "y"\r\nz \u{1F600}', b: "é" }])
    }
  })

  it("holds cells of a megabyte, in many chunks", async () => {
    const cell = `${"long, ".repeat(180_000)}\n${'"'.repeat(10)}`
    const text = `a,b\n"${cell.replaceAll('"', '""')}",1\nx,2\n`
    const { rows } = await read(text, ",", 1 << 14)
    assert.strictEqual((rows[0] as { a: string }).a, cell)
    assert.deepStrictEqual(rows[1], { a: "x", b: "2" })
  })

  it("keeps a quote that is not at the beginning of its cell", async () => {
    assert.deepStrictEqual((await read('size,b\n5" pipe,it"s\n')).rows, [{ size: '5" pipe', b: 'it"s' }])
  })

  it("makes a row with too few or too many cells malformed, and no other", async () => {
    const { rows } = await read("a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert.deepStrictEqual(rows, [
      { a: "1", b: "2" },
      "line 3: it has 1 cell, and the header 2",
      "line 4: it has 3 cells, and the header 2",
      { a: "7", b: "8" }
    ])
  })

  it("goes on after a quote that is not closed, and tells which lines it took", async () => {
    const { rows } = await read('a,b\n3,"never closed\nok,4\n5,"closed"\n6,7\n')
    assert.deepStrictEqual(rows, [
      "line 4: a quote is not closed on its line, and takes those after it",
      { a: "6", b: "7" }
    ])
    const open = await read('a,b\n0,1\n1,"open\n2,3\n4,5\n')
    assert.deepStrictEqual(open.rows, [
      { a: "0", b: "1" },
      "line 3: a quote is never closed, and takes all lines after it"
    ])
  })

  it("has cells of several lines that begin with a quote", async () => {
    const { rows } = await read('a,b\n"""Yes,"" she said,\nand left.",1\n')
    assert.deepStrictEqual(rows, [{ a: '"Yes," she said,\nand left.', b: "1" }])
  })

  it("counts the lines of quoted cells", async () => {
    const { rows } = await read('a,b\n"1\n2\n3",x\nshort\n')
    assert.strictEqual(rows[1], "line 5: it has 1 cell, and the header 2")
  })

  it("numbers columns of one name, and names those without", async () => {
    const { columns, notes, rows } = await read("name,name,,name_2,name\n1,2,3,4,5\n")
    assert.deepStrictEqual(columns, ["name", "name_3", "column_3", "name_2", "name_4"])
    assert.deepStrictEqual(notes, [
      'column 2, again "name", is {{name_3}}',
      "column 3, without a name, is {{column_3}}",
      'column 5, again "name", is {{name_4}}'
    ])
    assert.deepStrictEqual(rows, [{ name: "1", name_3: "2", column_3: "3", name_2: "4", name_4: "5" }])
  })

  it("takes a column that is named as a prototype for a column", async () => {
    const { rows } = await read("__proto__,a\nx,1\n")
    assert.deepStrictEqual(Object.entries(rows[0] ?? {}), [
      ["__proto__", "x"],
      ["a", "1"]
    ])
  })

  it("may be empty, or have a header alone", async () => {
    assert.deepStrictEqual(await read(""), { columns: [], notes: [], rows: [] })
    assert.deepStrictEqual(await read("a,b\n"), { columns: ["a", "b"], notes: [], rows: [] })
    assert.deepStrictEqual(await read("a,b"), { columns: ["a", "b"], notes: [], rows: [] })
  })

  it("is TSV with tabs", async () => {
    assert.deepStrictEqual((await read('a\tb\n1,5\t"x\ty"\n', "\t")).rows, [{ a: "1,5", b: "x\ty" }])
  })

  it("has the same rows whatever the chunks, and those that were written", async () => {
    const cell = FastCheck.oneof(
      FastCheck.constantFrom(
        "",
        "plain",
        'in "quotes"',
        '"at\n the start',
        "a,b",
        "line\nend",
        "cr\r\nlf",
        "\u{1F600}é",
        " spaced "
      ),
      FastCheck.fullUnicodeString()
    )
    const table = FastCheck.array(FastCheck.tuple(cell, cell, FastCheck.constant("z")), { maxLength: 6 })
    const size = FastCheck.integer({ min: 1, max: 40 })
    await FastCheck.assert(
      FastCheck.asyncProperty(table, size, FastCheck.constantFrom("\n", "\r\n"), async (cells, size, end) => {
        const text = stringify([["a", "b", "c"], ...cells], { record_delimiter: end, quoted_match: /[\r\n]/ })
        const { rows } = await read(text, ",", size)
        assert.deepStrictEqual(
          rows,
          cells.map(([a, b, c]) => ({ a, b, c }))
        )
      }),
      { seed: inject("seed"), numRuns: 300 }
    )
  })
})
