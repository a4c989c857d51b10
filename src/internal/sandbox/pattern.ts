/** Text that a regular expression matches, for the expressions that JSON schemas have; undefined for the others. */
import type { Random } from "./text.ts"

const DRAWS = 30
/** Most repetitions of `*` and `+` beyond their minimum. */
const MORE = 3

export const fromPattern = (pattern: string, next: Random, fits: (text: string) => boolean): string | undefined => {
  try {
    const check = new RegExp(pattern, "u")
    for (let i = 0; i < DRAWS; i++) {
      const reader = new Reader(pattern, next)
      const text = reader.alternatives()
      if (check.test(text) && fits(text)) return text
    }
  } catch {
    // An expression that is none, or that is beyond this reader: the caller has something else to say.
  }
  return undefined
}

const CLASSES: Readonly<Record<string, string>> = {
  d: "0123456789",
  w: "abcdefghijklmnopqrstuvwxyz0123456789_",
  s: " ",
  D: "abcdefghijklmnopqrstuvwxyz",
  W: "-.!",
  S: "abcdefghijklmnopqrstuvwxyz0123456789",
  n: "\n",
  r: "\r",
  t: "\t",
  b: "",
  B: ""
}
const ANY = CLASSES["S"] ?? ""
const PRINTABLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join("")

class Reader {
  readonly #pattern: string
  readonly #next: Random
  #at = 0

  constructor(pattern: string, next: Random) {
    this.#pattern = pattern
    this.#next = next
  }

  alternatives(): string {
    const all = [this.#sequence()]
    while (this.#eat("|")) all.push(this.#sequence())
    return all[Math.floor(this.#next() * all.length)] ?? ""
  }

  #sequence(): string {
    let text = ""
    while (this.#at < this.#pattern.length && !"|)".includes(this.#peek())) {
      const from = this.#at
      const first = this.#atom()
      const to = this.#at
      const [min, max] = this.#quantifier()
      const after = this.#at
      const count = min + Math.floor(this.#next() * (Math.min(max, min + MORE) - min + 1))
      if (count > 0) text += first
      // Each repetition is drawn anew by reading the atom again.
      for (let i = 1; i < count; i++) {
        this.#at = from
        text += this.#atom()
        if (this.#at !== to) throw new Error("unreachable")
      }
      this.#at = after
    }
    return text
  }

  #atom(): string {
    const c = this.#take()
    if (c === "^" || c === "$") return ""
    if (c === ".") return this.#one(ANY)
    if (c === "[") return this.#one(this.#class())
    if (c === "\\") return this.#one(this.#escape())
    if (c !== "(") return c
    if (this.#eat("?") && !this.#eat(":")) throw new Error("no lookaround")
    const text = this.alternatives()
    this.#take()
    return text
  }

  #escape(): string {
    const c = this.#take()
    if (/[ux0-9pPkc]/.test(c)) throw new Error(`no \\${c}`)
    return CLASSES[c] ?? c
  }

  #class(): string {
    const not = this.#eat("^")
    let chars = ""
    while (this.#peek() !== "]") {
      const c = this.#take()
      const from = c === "\\" ? this.#escape() : c
      if (this.#peek() === "-" && this.#pattern[this.#at + 1] !== "]") {
        this.#take()
        const to = this.#take()
        const last = (to === "\\" ? this.#escape() : to).charCodeAt(0)
        // Enough of a range to choose from; a range may be all of Unicode.
        for (let i = from.charCodeAt(0); i <= Math.min(last, from.charCodeAt(0) + 200); i++) {
          chars += String.fromCharCode(i)
        }
      } else chars += from
    }
    this.#take()
    return not ? [...PRINTABLE].filter((c) => !chars.includes(c)).join("") : chars
  }

  #quantifier(): readonly [min: number, max: number] {
    const range = this.#range()
    this.#eat("?")
    return range
  }

  #range(): readonly [min: number, max: number] {
    if (this.#eat("*")) return [0, Infinity]
    if (this.#eat("+")) return [1, Infinity]
    if (this.#eat("?")) return [0, 1]
    const match = /^\{(\d+)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at))
    if (match === null) return [1, 1]
    this.#at += match[0].length
    const min = Number(match[1])
    return [min, match[2] === "" ? min : match[3] === "" ? Infinity : Number(match[3])]
  }

  #one(chars: string): string {
    return chars === "" ? "" : (chars[Math.floor(this.#next() * chars.length)] ?? "")
  }
  #peek(): string {
    const c = this.#pattern[this.#at]
    if (c === undefined) throw new Error("the expression ends too early")
    return c
  }
  #take(): string {
    const c = this.#peek()
    this.#at++
    return c
  }
  #eat(c: string): boolean {
    if (this.#pattern[this.#at] !== c) return false
    this.#at++
    return true
  }
}
