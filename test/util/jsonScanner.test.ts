import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { endOfValue, entries, isEscaped, numberAt, skipSpace, stringAt } from "../../src/internal/util/jsonScanner.ts"
import { unit } from "../support/json.ts"

const all = (text: string): ReadonlyArray<readonly [key: string, value: string]> => {
  const found: Array<readonly [string, string]> = []
  entries(text, (key, at) => {
    found.push([key, text.slice(at, endOfValue(text, at))])
    return false
  })
  return found
}

const objects = fc.dictionary(fc.string({ unit, maxLength: 12 }), fc.jsonValue(), { maxKeys: 6 })
const spaces = fc.constantFrom("", " ", "\t", "\r\n", "\n  ")

/** The same JSON with white space wherever it may stand. */
const spaced = (value: unknown, space: string): string => {
  if (Array.isArray(value)) return `[${space}${value.map((v) => spaced(v, space) + space).join(`,${space}`)}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const inner = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}${space}:${space}${spaced(v, space)}`)
  return `{${space}${inner.join(`${space},${space}`)}${space}}`
}

describe("the entries of a JSON object", () => {
  it("are found as JSON.parse finds them, whatever the values and the white space", () => {
    fc.assert(
      fc.property(objects, spaces, (value, space) => {
        const text = space + spaced(value, space)
        const found = all(text)
        expect(found.map(([key, raw]) => [key, JSON.parse(raw)])).toEqual(Object.entries(JSON.parse(text) as object))
      })
    )
  })

  it("are skipped with each of their strings reported", () => {
    fc.assert(
      fc.property(objects, (value) => {
        const text = JSON.stringify(value)
        const strings: Array<unknown> = []
        entries(
          text,
          () => false,
          (start, end) => void strings.push(JSON.parse(text.slice(start - 1, end + 1)))
        )
        const expected: Array<string> = []
        const walk = (v: unknown): void => {
          if (typeof v === "string") expected.push(v)
          else if (Array.isArray(v)) for (const one of v) walk(one)
          else if (typeof v === "object" && v !== null) {
            for (const [key, one] of Object.entries(v)) {
              if (v !== value) expected.push(key)
              walk(one)
            }
          }
        }
        walk(value)
        expect(strings).toEqual(expected)
      })
    )
  })

  it("end when the visitor stops", () => {
    const seen: Array<string> = []
    entries('{"a":1,"b":2,"c":3}', (key) => {
      seen.push(key)
      return key === "b"
    })
    expect(seen).toEqual(["a", "b"])
  })

  it("end where the text is not JSON, and nothing throws", () => {
    for (const [text, keys] of [
      ["", []],
      ["[1]", []],
      ["{", []],
      ["{}", []],
      ['{"a', []],
      ['{"a"', []],
      ['{"a":', ["a"]],
      ['{"a":}', ["a"]],
      ['{"a":,"b":1}', ["a"]],
      ['{"a":1', ["a"]],
      ['{"a":1 "b":2}', ["a"]],
      ['{"a":[1,"b":2', ["a"]],
      ['{"a":"\\","b":2}', ["a"]],
      ['{"a" 1,"b":2}', []],
      ["{a:1}", []]
    ] as const) {
      expect(
        all(text).map(([key]) => key),
        text
      ).toEqual(keys)
    }
    fc.assert(
      fc.property(objects, fc.nat(), fc.nat(), fc.string({ maxLength: 3 }), (value, from, cut, noise) => {
        const text = JSON.stringify(value)
        const at = from % text.length
        all(text.slice(0, at))
        all(text.slice(0, at) + noise + text.slice(at + (cut % 3)))
      })
    )
  })

  it("do not need the stack for deep nesting", () => {
    const deep = `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)},"b":1}`
    expect(all(deep).map(([key]) => key)).toEqual(["a", "b"])
  })
})

describe("values in a JSON text", () => {
  it("are read as strings up to a length, escapes undone", () => {
    expect(stringAt('"a\\u0062\\"c"', 0, 100)).toBe('ab"c')
    expect(stringAt('"abc"', 0, 3)).toBe("abc")
    expect(stringAt('"abcd"', 0, 3)).toBe(undefined)
    for (const text of ["1", '"abc', '"\\x"', "null", ""]) expect(stringAt(text, 0, 100), text).toBe(undefined)
  })

  it("are read as numbers", () => {
    for (const [text, value] of [
      ["12,", 12],
      ["-1}", -1],
      ["1.5e3 ", 1500],
      ["1e999}", Infinity],
      ["null,", undefined],
      ['"3"', undefined],
      ["1x,", undefined],
      ["", undefined]
    ] as const) {
      expect(numberAt(text, 0), text).toBe(value)
    }
  })

  it("end where the next thing begins", () => {
    for (const [text, end] of [
      ["12}}", 2],
      ["12]", 2],
      ["null ,", 4],
      ["[1,[2]],", 7],
      ['{"}":"]"}}', 9],
      ['"a\\\\" ', 5],
      ["12", -1],
      ["[1", -1],
      ['"a', -1]
    ] as const) {
      expect(endOfValue(text, 0), text).toBe(end)
    }
  })

  it("are told apart by the number of backslashes before a quote", () => {
    expect([isEscaped('"', 0), isEscaped('\\"', 1), isEscaped('\\\\"', 2), isEscaped('a\\\\\\"', 4)]).toEqual([
      false,
      true,
      false,
      true
    ])
    expect(skipSpace(" \t\r\n{", 0)).toBe(4)
  })
})
