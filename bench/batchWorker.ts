/** The process of one variant of the batch bench. Each loads only what it uses. */
import { readFileSync } from "node:fs"
import type { Effect } from "effect/Effect"
import type { ClientMap } from "clientele/ClientMap"
import { input, report } from "./child.ts"

export type Variant = "p-limit + openai" | "loop" | "Batch.run" | "Batch.prompt"

export interface Work {
  readonly variant: Variant
  readonly baseURL: string
  readonly ca?: string | undefined
  readonly rows: number
  readonly atOnce: number
  readonly maxConnections: number
  /** Rows that run before those that are measured. */
  readonly warmUp: number
  readonly journal?: string | undefined
  /** Milliseconds. */
  readonly fsync?: number | undefined
}

export interface Measured {
  /** Microseconds of CPU, in all threads of the process. */
  readonly cpuPerRow: number
  readonly seconds: number
  /** Seconds of these in which its main thread was ready and had no processor: the load of others. 0 where nothing tells. */
  readonly waited: number
  /** Megabytes: the most at any time, and what was held after half and after all rows, once collected. */
  readonly peakRss: number
  readonly halfHeap: number
  readonly endHeap: number
}

export interface Passing {
  readonly passed: number
  readonly journal: string
}

export interface Passed {
  readonly seconds: number
  readonly peakRss: number
  readonly restored: number
}

const MEBI = 1 << 20
const prompt = "Is this review kind? Answer yes or no.\n\n{{review}}"
const row = (i: number) => ({ review: `Review ${i}: a fine film, if somewhat long towards its end.` })

function* rowsFrom(first: number, count: number) {
  for (let i = first; i < first + count; i++) yield row(i)
}

/** Seconds that the main thread has waited for a processor, as Linux counts them. */
const waitedSoFar = (): number => {
  try {
    return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e9
  } catch {
    return 0
  }
}

const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / MEBI
}

/** `run` calls `ended` for each row. */
const measured = async (
  work: Work,
  run: (first: number, rows: number, isMeasured: boolean, ended: () => void) => Promise<unknown>
): Promise<Measured> => {
  await run(0, work.warmUp, false, () => undefined)
  let ended = 0
  let halfHeap = 0
  let paused = 0
  let pausedCpu = 0
  const from = process.cpuUsage()
  const waitedBefore = waitedSoFar()
  const since = performance.now()
  await run(work.warmUp, work.rows, true, () => {
    if (++ended !== work.rows >> 1) return
    const [at, cpu] = [performance.now(), process.cpuUsage()]
    halfHeap = heap()
    paused = performance.now() - at
    const { system, user } = process.cpuUsage(cpu)
    pausedCpu = system + user
  })
  const seconds = (performance.now() - since - paused) / 1_000
  const waited = waitedSoFar() - waitedBefore
  const { system, user } = process.cpuUsage(from)
  if (ended !== work.rows) throw new Error(`${ended} of ${work.rows} rows ended`)
  return {
    cpuPerRow: (system + user - pausedCpu) / work.rows,
    seconds,
    waited,
    peakRss: process.resourceUsage().maxRSS / 1_024,
    halfHeap,
    endHeap: heap()
  }
}

const bodyOf = ({ review }: { readonly review: string }) => ({
  model: "gpt-5-mini",
  messages: [{ role: "user" as const, content: prompt.replace("{{review}}", review) }]
})

const openai = async (work: Work): Promise<Measured> => {
  const { OpenAI } = await import("openai")
  const { default: pLimit } = await import("p-limit")
  const client = new OpenAI({ baseURL: work.baseURL, apiKey: "sk-bench-0" })
  return measured(work, async (first, rows, _, ended) => {
    const limit = pLimit(work.atOnce)
    const texts = await Promise.all(
      Array.from(rowsFrom(first, rows), (one) =>
        limit(async () => {
          const answer = await client.chat.completions.create(bodyOf(one))
          ended()
          return answer.choices[0]?.message.content ?? ""
        })
      )
    )
    return texts.length
  })
}

const batch = async (work: Work): Promise<Measured> => {
  const Effect = await import("effect/Effect")
  const Redacted = await import("effect/Redacted")
  const Stream = await import("effect/Stream")
  const Batch = await import("clientele/Batch")
  const ClientLayer = await import("clientele/ClientLayer")
  const OpenAiApi = await import("clientele/OpenAiApi")
  const transport = { maxConnections: work.maxConnections, ...(work.ca !== undefined && { ca: work.ca }) }
  const client = { baseURL: work.baseURL, apiKey: Redacted.make("sk-bench-0"), transport }
  return Effect.gen(function* () {
    const config = yield* OpenAiApi.config(client)
    const chat = (one: { readonly review: string }) =>
      Effect.map(OpenAiApi.chat(config, bodyOf(one)), ({ choices }) => choices[0]?.message.content ?? "")
    const prompted = yield* Batch.prompt({ model: "openai:gpt-5-mini", prompt, client })
    const services = yield* Effect.context<ClientMap>()
    const { journal } = work
    const results = (first: number, rows: number, isMeasured: boolean) =>
      Batch.run({
        rows: rowsFrom(first, rows),
        agent: work.variant === "Batch.prompt" ? prompted : chat,
        concurrency: work.atOnce,
        ...(journal !== undefined && {
          journal: Batch.journal(isMeasured ? journal : `${journal}.warm`, { fsync: work.fsync })
        })
      })
    const loop = (first: number, rows: number, ended: () => void) =>
      Effect.forEach(rowsFrom(first, rows), (one) => Effect.map(chat(one), ended), {
        concurrency: work.atOnce,
        discard: true
      })
    const run = (first: number, rows: number, isMeasured: boolean, ended: () => void) => {
      const all: Effect<void, unknown, ClientMap> =
        work.variant === "loop"
          ? loop(first, rows, ended)
          : Stream.runForEachChunk(results(first, rows, isMeasured), (chunk) =>
              Effect.sync(() => {
                for (const { status } of chunk) {
                  if (status !== "done") throw new Error("a row failed")
                  ended()
                }
              })
            )
      return Effect.runPromise(Effect.provide(all, services))
    }
    return yield* Effect.promise(() => measured(work, run))
  }).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)
}

/** A journal with all rows but the last, made without the engine's help, and a run that passes over them. */
const pass = async ({ journal, passed }: Passing): Promise<Passed> => {
  const Effect = await import("effect/Effect")
  const Stream = await import("effect/Stream")
  const Batch = await import("clientele/Batch")
  const rows = function* () {
    for (let i = 0; i < passed; i++) yield { n: i }
  }
  const agent = () => Effect.succeed("yes")
  const run = (all: Iterable<{ readonly n: number }>) =>
    Batch.run({ rows: all, agent, version: 1, concurrency: 256, replay: false, journal: Batch.journal(journal) })
  await Effect.runPromise(Stream.runDrain(run(rows())))
  return new Promise((resolve, reject) => {
    // In a process of its own: this one has the memory of the run that wrote.
    import("./measure.ts").then(
      ({ measure }) =>
        measure<PassAgain, Passed>("batchWorker.ts", { passAgain: passed, journal }).then(resolve, reject),
      reject
    )
  })
}

interface PassAgain {
  readonly passAgain: number
  readonly journal: string
}

const passAgain = async ({ journal, passAgain: passed }: PassAgain): Promise<Passed> => {
  const Effect = await import("effect/Effect")
  const Stream = await import("effect/Stream")
  const Batch = await import("clientele/Batch")
  const rows = function* () {
    for (let i = 0; i < passed + 100; i++) yield { n: i }
  }
  let restored = 0
  const since = performance.now()
  await Effect.runPromise(
    Stream.runDrain(
      Batch.run({
        rows: rows(),
        agent: () => Effect.succeed("yes"),
        version: 1,
        replay: false,
        journal: Batch.journal(journal),
        onProgress: (progress) => (restored = progress.restored)
      })
    )
  )
  return { seconds: (performance.now() - since) / 1_000, peakRss: process.resourceUsage().maxRSS / 1_024, restored }
}

const work = input<Work | Passing | PassAgain>()
if ("variant" in work) report(await (work.variant === "p-limit + openai" ? openai(work) : batch(work)))
else if ("passed" in work) report(await pass(work))
else report(await passAgain(work))
