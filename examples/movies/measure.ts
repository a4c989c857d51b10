/** Cost and yield of a run, as the process itself measures them. */
import { readdirSync, readFileSync } from "node:fs"
import * as Schema from "effect/Schema"

const Count = Schema.NonNegativeInt
const Figure = Schema.NullOr(Schema.NonNegative)

export const Progress = Schema.Struct({ total: Count, started: Count, done: Count, failed: Count })
export type Progress = typeof Progress.Type

/** `null` is a figure that can't be had here. Times are milliseconds. */
export const Report = Schema.Struct({
  total: Count,
  done: Count,
  failed: Count,
  commonError: Schema.NullOr(Schema.String),
  clients: Count,
  hits: Figure,
  sockets: Figure,
  descriptors: Figure,
  /** Microseconds of CPU for each row that was done. */
  cpu: Figure,
  p50: Figure,
  p99: Figure,
  wall: Schema.NonNegative
})
export type Report = typeof Report.Type

export class Meter {
  readonly #total: number
  readonly #start = performance.now()
  readonly #cpu = process.cpuUsage()
  readonly #limit = openFilesLimit()
  readonly #latencies: Array<number> = []
  readonly #errors = new Map<string, number>()
  #started = 0
  #failed = 0
  #descriptors: number | null = null

  constructor(total: number) {
    this.#total = total
  }

  start(): void {
    this.#started++
  }

  done(ms: number): void {
    this.#latencies.push(ms)
  }

  failed(message: string): void {
    this.#failed++
    this.#errors.set(message, (this.#errors.get(message) ?? 0) + 1)
  }

  progress(): Progress {
    return { total: this.#total, started: this.#started, done: this.#latencies.length, failed: this.#failed }
  }

  /** To be called now and then. */
  lookAtDescriptors(): void {
    this.#descriptors = Math.max(this.#descriptors ?? 0, openFiles(this.#limit) ?? 0) || null
  }

  report(counts: Pick<Report, "clients" | "hits" | "sockets">): Report {
    const { user, system } = process.cpuUsage(this.#cpu)
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    const [commonError] = [...this.#errors].toSorted(([, a], [, b]) => b - a)[0] ?? [null]
    return {
      ...counts,
      total: this.#total,
      done: sorted.length,
      failed: this.#failed,
      commonError,
      descriptors: this.#descriptors,
      cpu: sorted.length === 0 ? null : (user + system) / sorted.length,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      wall: performance.now() - this.#start
    }
  }
}

/** By nearest rank. */
export const percentile = (sorted: ReadonlyArray<number>, p: number): number | null =>
  sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? null

const openFilesLimit = (): number | null => {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]) || null
  } catch {
    return null
  }
}

/** Looking takes a descriptor, so who can't look for want of one has used them all. */
const openFiles = (limit: number | null): number | null => {
  try {
    return readdirSync("/proc/self/fd").length - 1
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EMFILE" ? limit : null
  }
}
