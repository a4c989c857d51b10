/** One line that says how far a run is: rewritten on a terminal, written now and then elsewhere. */
import * as Effect from "effect/Effect"
import { count } from "./format.ts"
import type { Progress } from "./measure.ts"

/** Such that all of the line fits into 80 columns. */
const BAR = 18
/** Milliseconds between the lines of a log. */
const LOG = 5_000

export const render = (name: string, { done, failed, started, total }: Progress): string => {
  const ended = done + failed
  const filled = total === 0 ? BAR : Math.round((BAR * ended) / total)
  const bar = "█".repeat(filled) + "░".repeat(BAR - filled)
  return `${name} ${bar} ${count(ended)}/${count(total)} rows, ${count(failed)} failed, ${count(started - ended)} at work`
}

/** `show` for one run. */
export const make = (name: string, out: NodeJS.WriteStream = process.stdout) => {
  let last = -Infinity
  let over = false
  return (progress: Progress): Effect.Effect<void> =>
    Effect.sync(() => {
      if (over) return
      over = progress.done + progress.failed === progress.total
      const line = render(name, progress)
      if (out.isTTY) {
        // Cut to the width: a line that wraps can't be rewritten.
        out.write(`\r${line.slice(0, out.columns - 1)}\u001B[K${over ? "\n" : ""}`)
      } else if (over || performance.now() - last >= LOG) {
        last = performance.now()
        out.write(`${line}\n`)
      }
    })
}
