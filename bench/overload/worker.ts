/** A process of agents that ask through one contender, and report each row. */
import { subscribe } from "node:diagnostics_channel"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { input } from "../child.ts"
import { type Ask, contenders } from "./contenders.ts"
import { draw } from "./law.ts"
import { absolute, type Group, type Start, type WorkerLog, type WorkerWork } from "./protocol.ts"

const STAGGER = 103
/** Rows of one group of one process, at the most. */
const ROWS = 1_000_000

const work = input<WorkerWork>()
const { load, seed } = work
const log: WorkerLog = { row: [], group: [], from: [], to: [], error: [], dials: [], lag: 0 }
let started = Infinity
const now = (): number => absolute() - started

const kindOf = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error
  const { reason, status } = error as Error & { readonly status?: unknown; readonly reason?: unknown }
  return [error.constructor.name, status, reason].filter((part) => part !== undefined).join(" ")
}

const agentsOf = (ask: Ask, group: Group, index: number): ReadonlyArray<Promise<void>> => {
  let next = 0
  const offset = (work.process * load.groups.length + index) * ROWS
  const isOver = (): boolean => next >= (group.rows ?? ROWS) || now() >= (load.ms ?? Infinity)
  const once = async (i: number): Promise<void> => {
    const row = offset + i
    const entry = log.row.push(row) - 1
    log.group.push(index)
    log.from.push(now())
    log.to.push(Infinity)
    log.error.push("Unfinished")
    const model = group.models === undefined ? (group.model ?? "m") : `m${i % group.models}`
    const key = `sk-${group.name}-${i % (group.keys ?? 1)}`
    const error = await ask({ row, model, key, isStream: load.stream === true }).then(() => "", kindOf)
    log.to[entry] = now()
    log.error[entry] = error
  }
  const agent = async (_: unknown, i: number): Promise<void> => {
    await sleep(Math.max(0, load.stagger * draw(seed, offset + i, 0, STAGGER) - now()))
    while (!isOver()) await once(next++)
  }
  return Array.from({ length: group.agents }, agent)
}

const run = async (ask: Ask): Promise<void> => {
  const delays = monitorEventLoopDelay()
  delays.enable()
  const all = Promise.all(load.groups.flatMap((group, i) => agentsOf(ask, group, i)))
  await Promise.race([all, sleep(Math.max(0, load.cut - now()))])
  log.lag = delays.percentile(99) / 1e6
  process.send?.(log, () => process.exit(0))
}

subscribe("net.client.socket", () => void log.dials.push(now()))
const ask = await contenders[work.contender](work)
process.once("message", ({ start }: Start) => {
  started = start
  setTimeout(() => void run(ask), Math.max(0, -now()))
})
process.on("disconnect", () => process.exit(1))
process.send?.({ ready: true })
