/** Counts a run as it goes, and sums it up at its end. */
import { readdirSync } from "node:fs"
import { createHistogram } from "node:perf_hooks"
import type { BatchError, Progress } from "../../Batch.ts"
import { count, counted, duration, reasons } from "../display/figures.ts"
import { costText, tokensText } from "../display/view.ts"
import { EXIT, type ExitCode } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"
import type { RowResult } from "../output/lines.ts"
import type { RunPlan } from "./plan.ts"

/** An error that ended the run. */
export interface RunEnd {
  readonly message: string
  readonly code: ExitCode
  /** Reason of a batch's error. */
  readonly reason?: BatchError["reason"] | undefined
}

const openFiles = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").length - 1
  } catch {
    return undefined
  }
}

/** A word of a command as a shell takes it. */
const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** Longest command that is repeated in messages. */
const MAX_COMMAND_CHARACTERS = 300

/** Stands for a command that is too long. */
const SAME_COMMAND = "the same command"

export class RunReport {
  readonly #plan: RunPlan
  readonly #command: string
  readonly #latencies = createHistogram()
  readonly #cpu = process.cpuUsage()
  #last: Progress | undefined
  #out: string
  #journal: string | undefined
  #peakSockets = 0
  #peakFiles: number | undefined

  constructor(plan: RunPlan, args: ReadonlyArray<string>) {
    this.#plan = plan
    this.#out = plan.out.file
    this.#journal = plan.journal?.file
    const command = ["clientele", "run", ...args].map(shellWord).join(" ")
    this.#command = command.length > MAX_COMMAND_CHARACTERS || command.includes("\n") ? SAME_COMMAND : command
  }

  /** The files that were chosen, where runs stand beside each other. */
  opened(out: string, journal: string | undefined): void {
    this.#out = out
    this.#journal = journal
  }

  sample(progress: Progress): void {
    this.#last = progress
    this.#peakSockets = Math.max(this.#peakSockets, progress.sockets)
    const files = openFiles()
    if (files !== undefined) this.#peakFiles = Math.max(this.#peakFiles ?? 0, files)
  }

  add({ cached, ms, restored, status }: RowResult): void {
    if (status === "done" && !restored && !cached) this.#latencies.record(Math.max(1, Math.round(ms)))
  }

  exitCode(end: RunEnd | undefined, signalled: ExitCode | undefined): ExitCode {
    if (end !== undefined) return end.code
    if (signalled !== undefined && this.#last?.ended !== "complete") return signalled
    return (this.#last?.failed ?? 0) > 0 ? EXIT.rowsFailed : EXIT.done
  }

  /** Lines for people. */
  summary(code: ExitCode, end: RunEnd | undefined): ReadonlyArray<string> {
    const last = this.#last
    if (last === undefined) return []
    const files = [
      ...(this.#out === STDIN ? [] : [`results: ${this.#out}`]),
      ...(this.#journal === undefined ? [] : [`journal: ${this.#journal}`])
    ]
    const view = { progress: last, total: undefined, isDraining: false }
    return [
      this.#rows(last),
      `${tokensText(view)}; ${costText(view)}`,
      ...(files.length === 0 ? [] : [files.join(", ")]),
      ...this.#advice(last, code, end)
    ]
  }

  #rows({ cached, done, elapsedMs, failed, failures, restored }: Progress): string {
    const parts = [
      ...(failed === 0 ? [] : [`${count(failed)} failed (${reasons(failures)})`]),
      ...(restored === 0 ? [] : [`${count(restored)} out of the journal`]),
      ...(cached === 0 ? [] : [`${count(cached)} from the cache`])
    ]
    const more = parts.length === 0 ? "" : `; ${parts.join("; ")}`
    return `${counted(done, "row")} answered in ${duration(elapsedMs)}${more}`
  }

  #advice({ ended, failed }: Progress, code: ExitCode, end: RunEnd | undefined): ReadonlyArray<string> {
    const hasJournal = this.#plan.journal !== undefined
    if (ended !== "complete" && code !== EXIT.usage && code !== EXIT.locked) {
      if (!hasJournal) return ["stopped; without a journal, the next run begins anew"]
      const change = end?.reason === "MaxCost" ? ", with a higher --max-cost" : ""
      return [`stopped; to go on${change}: ${this.#command}`]
    }
    if (failed === 0 || !hasJournal || ended !== "complete") return []
    const retries = this.#plan.retryFailed === false ? " --retry-failed" : ""
    const joint = this.#command === SAME_COMMAND && retries !== "" ? " with" : ""
    return [`to do failed rows again: ${this.#command}${joint}${retries}`]
  }

  /** The last record of `--json`. */
  record(code: ExitCode, end: RunEnd | undefined): Readonly<Record<string, unknown>> {
    const { system, user } = process.cpuUsage(this.#cpu)
    const latency = (p: number) => (this.#latencies.count === 0 ? null : this.#latencies.percentile(p))
    return {
      event: "end",
      exitCode: code,
      error: end?.message ?? null,
      ...this.#last,
      p50Ms: latency(50),
      p99Ms: latency(99),
      cpuMs: (user + system) / 1000,
      peakSockets: this.#peakSockets,
      peakOpenFiles: this.#peakFiles ?? null,
      out: this.#out,
      journal: this.#journal ?? null
    }
  }
}
