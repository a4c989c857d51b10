/** Equality of parts of keys: by their own functions where they have them, on both lines of Effect. */
import * as Data from "effect/Data"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import { assert, describe, it } from "vitest"
import { equals, hash } from "../../src/internal/options/equality.ts"

class Tag implements Equal.Equal {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  [Hash.symbol](): number {
    return Hash.string(this.name)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Tag && that.name === this.name
  }
}

describe("equality of parts of keys", () => {
  it("is that of the values themselves, as their hashes are", () => {
    assert.isTrue(equals(new Tag("a"), new Tag("a")))
    assert.isFalse(equals(new Tag("a"), new Tag("b")))
    assert.strictEqual(hash(new Tag("a")), Hash.string("a"))
  })

  it("holds between numbers, texts and what is absent as Effect has it", () => {
    for (const one of [0, "a", true, null, undefined]) assert.isTrue(equals(one, one), String(one))
    assert.isFalse(equals(0, "0"))
    assert.isFalse(equals(null, undefined))
  })

  it("asks a value that defines it about no value that does not", () => {
    for (const other of [undefined, null, "a", { name: "a" }]) {
      assert.isFalse(equals(Data.struct({ name: "b" }), other))
      assert.isFalse(equals(other, Data.struct({ name: "b" })))
    }
  })
})
