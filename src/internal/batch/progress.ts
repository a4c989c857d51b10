/** The progress of a run at one moment. */
import type { Stats } from "../../ClientMap.ts"
import type { ConcurrencyLimit } from "./concurrency.ts"
import { belowRun, queuedIn } from "./heldBack.ts"
import type { HeldBack, BatchProgress } from "./model.ts"
import type { RunTally } from "./tally.ts"

export interface Moment {
  readonly tally: RunTally
  readonly now: number
  readonly total: number | undefined
  readonly running: number
  /** Rows that have been read and wait for a slot. */
  readonly waiting: number
  readonly unwritten: number
  readonly held: number
  readonly holdBack: number
  readonly limit: ConcurrencyLimit
  readonly isInputOver: boolean
  readonly refused: string | undefined
  readonly probeAt: number | undefined
  readonly lacksBudget: boolean
  readonly stats: Stats | undefined
  readonly ended: BatchProgress["ended"]
}

const answers: HeldBack = { by: "answers", detail: "waiting for answers" }

const ownHeldBack = (moment: Moment): HeldBack | undefined => {
  const { held, holdBack, isInputOver, lacksBudget, probeAt, refused, running, unwritten, waiting } = moment
  if (refused !== undefined) return { by: "refused", detail: refused, until: probeAt }
  if (running + held >= holdBack) {
    if (unwritten > held / 2) return { by: "journal", detail: `${unwritten} results wait to be written` }
    return { by: "output", detail: `${held} results wait for the consumer, or for an earlier row` }
  }
  if (lacksBudget) return { by: "budget", detail: "maxCost has no room for another row beside those in flight" }
  if (running >= moment.limit.limit || waiting > 0) return undefined
  return isInputOver ? answers : { by: "input", detail: "waiting for rows to be read" }
}

const heldBackOf = (moment: Moment): HeldBack => {
  const { limit, stats, tally } = moment
  const own = ownHeldBack(moment)
  if (own !== undefined && own.by !== "answers") return own
  const meanTokens = tally.agentRuns === 0 ? 1 : (tally.usage.input + tally.usage.output) / tally.agentRuns
  const below = stats === undefined ? undefined : belowRun(stats, meanTokens)
  if (below !== undefined) return below
  if (own !== undefined || limit.isAuto) return answers
  return { by: "concurrency", detail: `${limit.limit} rows run at a time, as the option concurrency has it` }
}

export const progressOf = (moment: Moment): BatchProgress => {
  const { ended, held, limit, now, running, stats, tally, total } = moment
  const rowsPerSecond = tally.rowsPerSecond(now)
  const left = total === undefined ? undefined : Math.max(0, total - tally.done - tally.failed)
  const priced = tally.ended - tally.unpriced
  return {
    total,
    read: tally.read,
    done: tally.done,
    failed: tally.failed,
    failures: Object.fromEntries(tally.failures),
    restored: tally.restored,
    cached: tally.cached,
    changed: tally.changed,
    damaged: tally.damaged,
    running,
    concurrency: limit.limit,
    queued: stats === undefined ? 0 : queuedIn(stats),
    sockets: stats?.sockets ?? 0,
    held,
    rowsPerSecond,
    elapsedMs: now - tally.startedAt,
    etaMs:
      left === undefined || (rowsPerSecond === 0 && left > 0)
        ? undefined
        : left === 0
          ? 0
          : (left * 1_000) / rowsPerSecond,
    usage: tally.usage,
    cost: tally.cost,
    earlierCost: tally.earlierCost,
    unpriced: tally.unpriced,
    expectedCost:
      left === undefined || priced === 0 || tally.unpriced > 0 ? undefined : tally.cost + (left * tally.cost) / priced,
    heldBack: heldBackOf(moment),
    ended
  }
}
