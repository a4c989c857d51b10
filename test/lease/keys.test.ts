/** Keys of a LeaseMap: none shares the value of another, on whichever Effect. */
import { createSecretKey } from "node:crypto"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import { assert, describe, it } from "vitest"
import * as LeaseMap from "../../src/LeaseMap.ts"

class Tenant {
  readonly #id: string
  constructor(id: string) {
    this.#id = id
  }
  get [Symbol.toStringTag](): string {
    return `Tenant(${this.#id.length})`
  }
}

class Own implements Equal.Equal {
  readonly #id: string
  constructor(id: string) {
    this.#id = id
  }
  [Hash.symbol](): number {
    return Hash.string(this.#id)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof Own && this.#id === that.#id
  }
}

/** Two that differ, of classes that Effect can't look into. */
const opaque: Readonly<Record<string, (text: string) => object>> = {
  "a Headers": (text) => new Headers({ authorization: text }),
  "a promise": (text) => Promise.resolve(text),
  "an AbortController": () => new AbortController(),
  "a FormData": (text) => {
    const form = new FormData()
    form.set("a", text)
    return form
  },
  "a URLSearchParams": (text) => new URLSearchParams({ a: text }),
  "a WeakRef": (text) => new WeakRef({ text }),
  "a boxed number": (text) => Object(text.charCodeAt(0)) as object,
  "a key of node:crypto": (text) => createSecretKey(Buffer.from(text)),
  "an object with private fields alone": (text) => new Tenant(text)
}

const placed: Readonly<Record<string, (part: object) => unknown>> = {
  alone: (part) => part,
  "in a plain object": (part) => ({ model: "m", part }),
  "in an array": (part) => ["m", part],
  "in a map": (part) => new Map([["part", part]]),
  "in a set": (part) => new Set([part]),
  "two deep": (part) => ({ of: [{ part }] })
}

/** The values of keys, each a number of its own; a cause where there is none. */
const valuesOf = (keys: ReadonlyArray<unknown>): Promise<ReadonlyArray<Exit.Exit<number, unknown>>> => {
  let built = 0
  return Effect.gen(function* () {
    const map = yield* LeaseMap.make<unknown, number, never, never>({
      name: "tenants",
      lookup: () => Effect.sync(() => ++built)
    })
    return yield* Effect.forEach(keys, (key) => Effect.exit(LeaseMap.get(map, key)))
  }).pipe(Effect.scoped, Effect.runPromise)
}

const deathOf = (exit: Exit.Exit<number, unknown>): unknown => (Exit.isFailure(exit) ? exit.cause : undefined)

describe("a key that Effect can't look into", () => {
  it.each(Object.entries(opaque))("has no other's value: %s", async (_, make) => {
    for (const [where, place] of Object.entries(placed)) {
      const keys = [place(make("acme")), place(make("globex"))]
      const exits = await valuesOf(keys)
      const refused = exits.filter(Exit.isFailure)
      // Compared by reference, or else refused.
      if (Equal.equals(keys[0], keys[1])) assert.strictEqual(refused.length, 2, where)
      if (refused.length > 0) assert.match(String(deathOf(exits[0]!)), /tenants: a key has a \w+ in it/, where)
      else assert.deepStrictEqual(exits, [Exit.succeed(1), Exit.succeed(2)], where)
    }
  })
})

describe("a key that Effect can look into", () => {
  const keys: Readonly<Record<string, (text: string) => unknown>> = {
    "a string": (text) => text,
    "a number": (text) => text.charCodeAt(0),
    "a struct": (text) => Data.struct({ tenant: text, region: "eu" }),
    "a struct of structs": (text) => Data.struct({ tenant: Data.struct({ id: text }) }),
    "a class with Equal and Hash": (text) => new Own(text),
    "a struct of one": (text) => Data.struct({ tenant: new Own(text) })
  }

  it.each(Object.entries(keys))("shares its value with its equals alone: %s", async (_, make) => {
    const exits = await valuesOf([make("acme"), make("globex"), make("acme")])
    assert.deepStrictEqual(exits, [Exit.succeed(1), Exit.succeed(2), Exit.succeed(1)])
  })

  it("may be empty, undefined, a function or a date", async () => {
    const exits = await valuesOf([undefined, null, "", deathOf, deathOf, new Date(1)])
    assert.deepStrictEqual(
      exits,
      [1, 2, 3, 4, 4, 5].map((value) => Exit.succeed(value))
    )
  })
})
