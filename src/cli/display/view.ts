/** A moment of a run, as all displays show it. */
import type { Progress } from "../../Batch.ts"
import { count, counted, dollars, duration, rate, reasons, short } from "./figures.ts"

export interface RunView {
  readonly progress: Progress
  /** Rows of the input, exact or estimated by its size. */
  readonly total: { readonly rows: number; readonly isExact: boolean } | undefined
  /** True once the run takes no more rows, by Ctrl-C. */
  readonly isDraining: boolean
}

/** Expectations of the end of a run. */
export interface Outlook {
  readonly share: number | undefined
  readonly etaMs: number | undefined
  /** US dollars of this run at its end. */
  readonly expectedCost: number | undefined
}

export const outlook = ({ progress, total }: RunView): Outlook => {
  const ended = progress.done + progress.failed
  if (total === undefined || total.rows === 0) return { share: undefined, etaMs: undefined, expectedCost: undefined }
  const left = Math.max(0, total.rows - ended)
  const own = ended - progress.restored
  return {
    share: Math.min(1, ended / total.rows),
    etaMs: progress.rowsPerSecond > 0 ? (left / progress.rowsPerSecond) * 1000 : undefined,
    expectedCost: own > 0 && progress.unpriced === 0 ? (progress.cost / own) * (own + left) : undefined
  }
}

/** `1,234 of about 3,201 rows`. */
export const rowsText = ({ progress, total }: RunView): string => {
  const ended = count(progress.done + progress.failed)
  if (total === undefined) return `${ended} rows`
  return `${ended} of ${total.isExact ? "" : "about "}${counted(total.rows, "row")}`
}

export const speedText = (view: RunView): string => {
  const { etaMs } = outlook(view)
  return [rate(view.progress.rowsPerSecond), ...(etaMs === undefined ? [] : [`${duration(etaMs)} left`])].join(", ")
}

export const tokensText = ({ progress: { usage } }: RunView): string => {
  const cached = usage.cachedInput === 0 ? "" : ` (${short(usage.cachedInput)} cached)`
  return `${short(usage.input)} tokens in${cached}, ${short(usage.output)} out`
}

/** An unknown price is said to be unknown, never 0. */
export const costText = (view: RunView): string => {
  const { cost, earlierCost, unpriced } = view.progress
  const earlier = earlierCost > 0 ? `, ${dollars(earlierCost)} in earlier runs` : ""
  if (unpriced > 0 && cost === 0) return `cost unknown${earlier}`
  if (unpriced > 0) return `${dollars(cost)} and ${counted(unpriced, "row")} of unknown cost${earlier}`
  const { expectedCost } = outlook(view)
  const isOver = view.progress.ended !== undefined
  const expected = expectedCost === undefined || isOver ? "" : ` of about ${dollars(expectedCost)}`
  return `${dollars(cost)}${expected}${earlier}`
}

export const failuresText = ({ progress }: RunView): string =>
  progress.failed === 0 ? "0 failed" : `${count(progress.failed)} failed: ${reasons(progress.failures)}`

/** Reason why it is no faster at this moment. */
export const holdText = ({ isDraining, progress: { heldBack, running } }: RunView): string => {
  if (!isDraining) return heldBack.detail
  const stopping = `stopping: ${counted(running, "row")} still at work`
  // A provider that does not respond may keep them for hours.
  return heldBack.by === "answers" ? stopping : `${stopping}: ${heldBack.detail}; Ctrl-C again stops at once`
}

export const workText = ({ progress }: RunView): string => {
  const { concurrency, queued, running, sockets } = progress
  // Rows that were begun before the bound was lowered are above it for a while.
  const of = running <= concurrency && Number.isFinite(concurrency) ? ` of ${count(concurrency)}` : ""
  return `${count(running)}${of} at work, ${count(queued)} queued, ${counted(sockets, "socket")}`
}
