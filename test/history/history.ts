/**
 * Histories: what was asked of a thing, and what came of it, in the order in which it happened. An operation is invoked,
 * and later it is ok, fails, or nobody knows whether it took effect (it was interrupted). Checkers read nothing else.
 */

/** `at` is in milliseconds of the run's clock. */
export type Entry<Call, Detail> = { readonly at: number; readonly op: number } & (
  | { readonly type: "invoke"; readonly call: Call }
  | { readonly type: "ok" | "fail"; readonly detail: Detail }
  | { readonly type: "unknown" }
)

export type History<Call, Detail> = ReadonlyArray<Entry<Call, Detail>>

/** Writes a history. */
export class Recorder<Call, Detail> {
  readonly entries: Array<Entry<Call, Detail>> = []
  readonly #now: () => number
  #ops = 0

  constructor(now: () => number) {
    this.#now = now
  }
  /** The result names the operation. */
  invoke(call: Call): number {
    const op = ++this.#ops
    this.entries.push({ at: this.#now(), op, type: "invoke", call })
    return op
  }
  ok(op: number, detail: Detail): void {
    this.entries.push({ at: this.#now(), op, type: "ok", detail })
  }
  fail(op: number, detail: Detail): void {
    this.entries.push({ at: this.#now(), op, type: "fail", detail })
  }
  unknown(op: number): void {
    this.entries.push({ at: this.#now(), op, type: "unknown" })
  }
  /** Records an operation that takes no time. */
  did(call: Call, detail: Detail): number {
    const op = this.invoke(call)
    this.ok(op, detail)
    return op
  }
}

/** An operation from end to end. `from` and `to` are places in the history, `to` is `Infinity` if it never ended. */
export interface Operation<Call, Detail> {
  readonly op: number
  readonly call: Call
  readonly from: number
  readonly at: number
  to: number
  until: number
  end: "ok" | "fail" | "unknown" | "pending"
  detail: Detail | undefined
}

/** A broken rule, and the operation that breaks it. */
export interface Violation {
  readonly rule: string
  readonly what: string
}

/** Pairs invocations with what came of them, in the order of invocation. Each ends once at most. */
export const operations = <Call, Detail>(
  history: History<Call, Detail>
): { readonly all: ReadonlyArray<Operation<Call, Detail>>; readonly broken: ReadonlyArray<Violation> } => {
  const all = new Map<number, Operation<Call, Detail>>()
  const broken: Array<Violation> = []
  history.forEach((entry, index) => {
    const known = all.get(entry.op)
    if (entry.type === "invoke") {
      const { at, call, op } = entry
      all.set(op, { op, call, from: index, at, to: Infinity, until: Infinity, end: "pending", detail: undefined })
    } else if (known === undefined || known.end !== "pending") {
      broken.push({
        rule: "each operation ends once",
        what: `${entry.op} ends at ${index}, and had not begun or was over`
      })
    } else {
      known.to = index
      known.until = entry.at
      known.end = entry.type
      known.detail = entry.type === "unknown" ? undefined : entry.detail
    }
  })
  return { all: [...all.values()], broken }
}

/** For people: a line an entry. */
const print = <Call, Detail>(history: History<Call, Detail>): string =>
  history
    .map((entry, index) => {
      const rest = entry.type === "invoke" ? entry.call : entry.type === "unknown" ? {} : entry.detail
      return `${index} ${entry.at} ms, ${entry.op} ${entry.type} ${JSON.stringify(rest)}`
    })
    .join("\n")

/** Throws with all that is broken, and the history. */
export const mustHold = <Call, Detail>(violations: ReadonlyArray<Violation>, history: History<Call, Detail>): void => {
  if (violations.length === 0) return
  const list = violations.map(({ rule, what }) => `${rule}: ${what}`).join("\n")
  throw new Error(`${list}\n\n${print(history)}`)
}
