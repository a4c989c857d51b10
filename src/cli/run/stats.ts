/** Sums up a journal. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as Batch from "../../Batch.ts"
import { createHistogram } from "node:perf_hooks"
import { count, counted, dollars, short } from "../display/figures.ts"
import { CommandError, EXIT } from "../exit.ts"

interface FailureStats {
  readonly reason: string
  readonly count: number
  /** The message of the latest row. */
  readonly message: string
}

interface JournalStats {
  readonly journal: string
  /** ISO date of its beginning. */
  readonly createdAt: string
  /** Content of the run, by which it is told from others. */
  readonly identity: Batch.AgentIdentity
  /** Lines that can't be read. */
  readonly damaged: number
  readonly done: number
  readonly failed: number
  readonly failures: ReadonlyArray<FailureStats>
  readonly models: ReadonlyArray<string>
  readonly tokens: Batch.Usage
  /** US dollars of rows whose cost is known. */
  readonly cost: number
  readonly unpriced: number
  readonly attempts: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

type Head = Pick<JournalStats, "createdAt" | "damaged" | "identity">

class StatsCount {
  readonly #latencies = createHistogram()
  readonly #failures = new Map<string, FailureStats>()
  readonly #models = new Set<string>()
  #done = 0
  #failed = 0
  #input = 0
  #output = 0
  #cachedInput = 0
  #cost = 0
  #unpriced = 0
  #attempts = 0

  add(record: Batch.Result<undefined, unknown>): void {
    const { attempts, cached, cost, model, ms, usage } = record
    if (record.status === "done") {
      this.#done++
      if (!cached) this.#latencies.record(Math.max(1, Math.round(ms)))
    } else {
      this.#failed++
      const { message, tag } = record.reason
      this.#failures.set(tag, { reason: tag, count: (this.#failures.get(tag)?.count ?? 0) + 1, message })
    }
    if (model !== undefined) this.#models.add(model)
    this.#input += usage.input
    this.#output += usage.output
    this.#cachedInput += usage.cachedInput
    this.#attempts += attempts
    if (cost === undefined) this.#unpriced++
    else this.#cost += cost
  }

  of(journal: string, { createdAt, damaged, identity }: Head): JournalStats {
    const latency = (p: number) => (this.#latencies.count === 0 ? null : this.#latencies.percentile(p))
    return {
      journal,
      createdAt,
      identity,
      damaged,
      done: this.#done,
      failed: this.#failed,
      failures: [...this.#failures.values()].toSorted((a, b) => b.count - a.count),
      models: [...this.#models],
      tokens: { input: this.#input, output: this.#output, cachedInput: this.#cachedInput },
      cost: this.#cost,
      unpriced: this.#unpriced,
      attempts: this.#attempts,
      p50Ms: latency(50),
      p99Ms: latency(99)
    }
  }
}

const seconds = (ms: number | null): string => (ms === null ? "n/a" : `${(ms / 1000).toFixed(2)} s`)

const costOf = ({ cost, unpriced }: JournalStats): string =>
  unpriced === 0
    ? dollars(cost)
    : cost === 0
      ? "unknown"
      : `${dollars(cost)}, and ${counted(unpriced, "row")} of unknown cost`

const SHOWN_CHARACTERS = 60

const shortened = (value: unknown): string => {
  const text = (typeof value === "string" ? value : JSON.stringify(value)).replace(/\s+/g, " ")
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text
}

const forPeople = (stats: JournalStats): string => {
  const { attempts, createdAt, damaged, done, failed, failures, identity, models, tokens } = stats
  const lines: ReadonlyArray<readonly [label: string, figure: string]> = [
    ["begun", createdAt],
    ...Object.entries(identity).map(([name, value]) => [name, shortened(value)] as const),
    ["rows answered", count(done)],
    ["rows failed", count(failed)],
    ...failures.map(
      ({ count: times, message, reason }) => [`  ${reason}`, `${count(times)}, such as: ${message}`] as const
    ),
    ...(damaged === 0 ? [] : [["damaged records", count(damaged)] as const]),
    ["answered by", models.length === 0 ? "unknown" : models.join(", ")],
    ["requests", count(attempts)],
    [
      "tokens in",
      `${short(tokens.input)}${tokens.cachedInput === 0 ? "" : `, ${short(tokens.cachedInput)} of them cached`}`
    ],
    ["tokens out", short(tokens.output)],
    ["cost", costOf(stats)],
    ["latency, p50", seconds(stats.p50Ms)],
    ["latency, p99", seconds(stats.p99Ms)]
  ]
  const width = Math.max(...lines.map(([label]) => label.length))
  return lines.map(([label, figure]) => `${label.padEnd(width)}   ${figure}`).join("\n")
}

const read = (journal: string): Effect.Effect<JournalStats, Batch.BatchError> =>
  Effect.gen(function* () {
    const reading = yield* Batch.readJournal(journal)
    const counted = new StatsCount()
    yield* Stream.runForEachChunk(reading.records, (records) =>
      Effect.sync(() => {
        for (const record of records) counted.add(record)
      })
    )
    return counted.of(journal, reading)
  }).pipe(Effect.scoped)

/** Resolves to the exit code. */
export const printStats = async (journal: string, isJson: boolean): Promise<number> => {
  const ended = await Effect.runPromise(Effect.either(read(journal)))
  if (Either.isLeft(ended)) throw new CommandError(ended.left.message, EXIT.io)
  process.stdout.write(`${isJson ? JSON.stringify(ended.right) : forPeople(ended.right)}\n`)
  return EXIT.done
}
