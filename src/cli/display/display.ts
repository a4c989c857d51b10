/** Shows how a run goes, where that is no terminal: now and then a line for people, or lines of JSON. */
import { performance } from "../../internal/util/timers.ts"
import { costText, failuresText, holdText, outlook, rowsText, type RunView, speedText, tokensText } from "./view.ts"

export interface Display {
  /** Called several times a second. */
  readonly show: (view: RunView) => void
  /** Prints lines that stay. */
  readonly note: (line: string) => void
  /** Removes what is not to stay, and tells what has come of it. */
  readonly end: (outcome: Outcome) => void
}

/** The end of a run: for people, and for programs. */
interface Outcome {
  readonly lines: ReadonlyArray<string>
  readonly record: Readonly<Record<string, unknown>>
}

const writeLines = (screen: Screen, lines: ReadonlyArray<string>): void => {
  if (lines.length > 0) screen.write(lines.map((line) => `${line}\n`).join(""))
}

/** The part of a stream that these displays use. */
export interface Screen {
  readonly write: (text: string) => unknown
}

const LOG_INTERVAL_MS = 5_000
const JSON_INTERVAL_MS = 1_000
export const logLine = (view: RunView): string =>
  [rowsText(view), speedText(view), failuresText(view), tokensText(view), costText(view), holdText(view)].join("; ")

/** For logs: a line each five seconds. */
export const logDisplay = (screen: Screen, now: () => number = performance.now): Display => {
  let last = now()
  return {
    show: (view) => {
      if (now() - last < LOG_INTERVAL_MS || view.progress.ended !== undefined) return
      last = now()
      screen.write(`${logLine(view)}\n`)
    },
    note: (line) => void screen.write(`${line}\n`),
    end: ({ lines }) => writeLines(screen, lines)
  }
}

/** For programs: a line of JSON each second. */
export const jsonDisplay = (screen: Screen, now: () => number = performance.now): Display => {
  let last = -Infinity
  return {
    show: (view) => {
      if (now() - last < JSON_INTERVAL_MS) return
      last = now()
      const { share, ...rest } = outlook(view)
      const { heldBack, ...progress } = view.progress
      const total = view.total?.rows ?? null
      const record = {
        event: "progress",
        ...progress,
        ...rest,
        share,
        total,
        isTotalExact: view.total?.isExact ?? false,
        heldBack,
        isDraining: view.isDraining
      }
      screen.write(`${JSON.stringify(record)}\n`)
    },
    note: (line) => void screen.write(`${JSON.stringify({ event: "note", text: line })}\n`),
    end: ({ record }) => void screen.write(`${JSON.stringify(record)}\n`)
  }
}

/** Errors alone. */
export const quietDisplay: Display = { show: () => {}, note: () => {}, end: () => {} }
