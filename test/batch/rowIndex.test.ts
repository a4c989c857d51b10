import { assert, describe, it } from "vitest"
import { canonical, hashOf, hashOfId, hashOfKey, idOf } from "../../src/internal/batch/rows/rowIdentity.ts"
import { DONE, FAILED, RowIndex, UNRECORDED } from "../../src/internal/batch/rows/rowIndex.ts"

/** Positions beyond 4 GiB take their high byte. */
const positionOf = (i: number) => i * 4_000_003

describe("RowIndex", () => {
  it("finds each of 50,000 rows with its state and position, in at most 31 bytes a row", () => {
    const index = new RowIndex(false)
    const rows = 50_000
    for (let i = 0; i < rows; i++)
      index.record(hashOf(`row ${i}`), i % 7 === 0 ? `tag ${i % 3}` : undefined, positionOf(i))
    assert.strictEqual(index.size, rows)
    for (let i = 0; i < rows; i += 11) {
      const entry = index.find(hashOf(`row ${i}`))!
      const state = index.stateOf(entry)
      assert.strictEqual(index.tagOf(state), i % 7 === 0 ? `tag ${i % 3}` : undefined)
      assert.strictEqual(state >= FAILED, i % 7 === 0)
      assert.strictEqual(index.positionOf(entry), positionOf(i))
    }
    assert.strictEqual(index.find(hashOf("row 50000")), undefined)
    assert.isAtMost(index.bytes / rows, 31)
  })

  it("stays within 31 bytes a row while it grows", () => {
    const index = new RowIndex(false)
    for (let i = 0; i < 50_000; i++) {
      index.enter(hashOf(`row ${i}`))
      if (i > 20_000 && i % 1_000 === 0) assert.isAtMost(index.bytes / index.size, 31)
    }
  })

  it("replaces a row's state by its later record", () => {
    const index = new RowIndex(false)
    index.record(hashOf("a"), "Timeout", 10)
    index.record(hashOf("a"), undefined, 20)
    const entry = index.find(hashOf("a"))!
    assert.deepStrictEqual([index.stateOf(entry), index.positionOf(entry), index.size], [DONE, 20, 1])
  })

  it("counts equal rows past what a slot can hold", () => {
    const index = new RowIndex(false)
    const entry = index.enter(hashOf("a"))
    for (let i = 0; i < 70_000; i++) assert.strictEqual(index.count(entry), i)
    assert.strictEqual(index.stateOf(entry), UNRECORDED)
  })

  it("finds a key whatever its content, and tells that the content has changed", () => {
    const index = new RowIndex(true)
    index.record(hashOfKey("k", "one"), undefined, 5)
    const entry = index.find(hashOfKey("k", "two"))!
    assert.strictEqual(index.positionOf(entry), 5)
    assert.notStrictEqual(index.checkOf(entry), hashOfKey("k", "two").check)
    assert.strictEqual(index.checkOf(entry), hashOfKey("k", "one").check)
  })

  it("has tags beyond 253 share one", () => {
    const index = new RowIndex(false)
    for (let i = 0; i < 400; i++) index.record(hashOf(`${i}`), `tag ${i}`, i)
    assert.strictEqual(index.tagOf(index.stateOf(index.find(hashOf("5"))!)), "tag 5")
    assert.strictEqual(index.tagOf(index.stateOf(index.find(hashOf("399"))!)), "other")
  })
})

describe("a row's identity", () => {
  it("is that of its content, whatever the order of its columns", () => {
    assert.strictEqual(
      canonical({ b: 1, a: { d: [1, { y: 1, x: 2 }], c: "é" } }),
      '{"a":{"c":"é","d":[1,{"x":2,"y":1}]},"b":1}'
    )
    assert.strictEqual(canonical({ a: 1, b: undefined }), canonical({ a: 1 }))
    assert.notStrictEqual(canonical({ a: "1" }), canonical({ a: 1 }))
    assert.strictEqual(canonical({ at: new Date(0) }), '{"at":"1970-01-01T00:00:00.000Z"}')
  })

  it("survives being written as 16 characters", () => {
    const hash = hashOf("row")
    assert.match(idOf(hash), /^[\w-]{16}$/)
    assert.deepStrictEqual(hashOfId(idOf(hash)), hash)
  })
})
