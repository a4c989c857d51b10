/** Outcomes of the requests of a soak, in constant memory. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { Outcome } from "../test/faults/expected.ts"

/** Most that are listed; all are counted. */
const TOLD = 10

export class Ledger {
  requests = 0
  answered = 0
  /** Aborted or dropped by who asked. */
  givenUp = 0
  /** Neither answered nor failed, long after their own deadline. */
  unsettled = 0
  /** Answers that are not what the same question was answered before. */
  wrong = 0
  /** Defects, and errors that are untyped or show a mistake of ours. */
  unexpected = 0
  readonly told: Array<string> = []
  /** By tag and reason. */
  readonly errors = new Map<string, number>()
  /** Strikes of the nemesis, and what agents did beside asking. */
  readonly faults = new Map<string, number>()
  readonly acts = new Map<string, number>()
  readonly #answers = new Map<string, string>()
  #times: Array<number> = []

  count(where: Map<string, number>, what: string): void {
    where.set(what, (where.get(what) ?? 0) + 1)
  }

  surprise(what: string): void {
    this.unexpected++
    this.#tell(what)
  }

  lost(what: string): void {
    this.unsettled++
    this.#tell(`not settled: ${what}`)
  }

  #tell(what: string): void {
    if (this.told.length < TOLD) this.told.push(what)
  }

  /** `question` names all that should be answered alike. */
  settled(question: string, exit: Exit.Exit<Outcome, unknown>, ms: number): void {
    if (Exit.isFailure(exit)) {
      if (Cause.isInterruptedOnly(exit.cause)) this.givenUp++
      else this.surprise(Cause.pretty(exit.cause))
      return
    }
    this.#times.push(ms)
    const outcome = exit.value
    if (outcome.type === "answer") return this.#answer(question, outcome.text)
    const { error } = outcome
    const reason = error._tag === "RequestError" || error._tag === "PoolError" ? error.reason : undefined
    if (reason === "Aborted") this.givenUp++
    else this.count(this.errors, reason === undefined ? error._tag : `${error._tag} ${reason}`)
    // Options are right, and no callback here throws.
    if (reason === undefined) this.surprise(error.message)
  }

  #answer(question: string, text: string): void {
    this.answered++
    const before = this.#answers.get(question)
    if (before === undefined) this.#answers.set(question, text)
    else if (before !== text) {
      this.wrong++
      this.#tell(`${question}: ${JSON.stringify(text)}, not ${JSON.stringify(before)}`)
    }
  }

  /** The median and the 99th percentile in ms of those settled since the last call. */
  percentiles(): { readonly p50: number; readonly p99: number } {
    const times = this.#times.sort((a, b) => a - b)
    this.#times = []
    return { p50: times[Math.floor(times.length / 2)] ?? 0, p99: times[Math.floor(times.length * 0.99)] ?? 0 }
  }
}
