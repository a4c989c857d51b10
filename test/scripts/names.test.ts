import { resolve } from "node:path"
import { assert, describe, it } from "vitest"
import { ambiguous, sourcesIn } from "../../scripts/names.ts"

const linesFor = (files: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  ambiguous(new Map(Object.entries(files)))

describe("exported names", () => {
  it("have one meaning in the sources", () => {
    assert.deepStrictEqual(ambiguous(sourcesIn(resolve(import.meta.dirname, "../../src/internal"))), [])
  })

  it("may not be a type's twice, be it an interface, an alias or a class", () => {
    const files = {
      "a.ts": "export interface Lease {}",
      "b.ts": "export class Lease {}",
      "c.ts": "export type Lease = 1"
    }
    assert.deepStrictEqual(linesFor(files), ['a.ts, b.ts, c.ts: each exports a type "Lease"; give each its own name'])
  })

  it("may be a type's twice where one is private, or a module's own Options", () => {
    const files = {
      "a.ts": "export interface Lease {}\nexport type Options = 1",
      "b.ts": "interface Lease {}\nexport type Options = 2"
    }
    assert.deepStrictEqual(linesFor(files), [])
  })

  it("may not be a value's if they say nothing by themselves", () => {
    const files = { "a.ts": "export const of = () => 1", "b.ts": "export function told() {}" }
    assert.deepStrictEqual(linesFor(files), [
      'a.ts: "of" says nothing where it is imported; name what it makes or does',
      'b.ts: "told" says nothing where it is imported; name what it makes or does'
    ])
  })
})
