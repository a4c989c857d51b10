/** The difference between a run's identity and that of a journal. */
import { BatchError, type IdentityChange } from "../errors.ts"
import type { AgentIdentity } from "../result.ts"
import { canonical } from "../rows/rowIdentity.ts"

const MAX_SHOWN = 80
/** Shown before the first difference of two texts. */
const CONTEXT = 20

const firstDifference = (a: string, b: string): number => {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}

/** A part of `text` from shortly before `at`. */
const excerpt = (text: string, at: number): string => {
  const from = text.length <= MAX_SHOWN ? 0 : Math.max(0, at - CONTEXT)
  const shown = text.slice(from, from + MAX_SHOWN)
  return `${from > 0 ? "…" : ""}${shown}${from + MAX_SHOWN < text.length ? "…" : ""}`
}

const shown = (value: unknown): string => (value === undefined ? "absent" : canonical(value))

export const differenceOf = (before: AgentIdentity, after: AgentIdentity): ReadonlyArray<IdentityChange> =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap((field) => {
    const [a, b] = [shown(before[field]), shown(after[field])]
    if (a === b) return []
    const at = firstDifference(a, b)
    return [{ field, before: excerpt(a, at), after: excerpt(b, at) }]
  })

export const changed = (path: string, difference: ReadonlyArray<IdentityChange>): BatchError =>
  new BatchError({
    reason: "Changed",
    detail:
      `${path} is of another run: ` +
      difference.map(({ after, before, field }) => `${field} was ${before} and is ${after}`).join("; ") +
      '. Take back the change, give another journal, or begin a new run beside it (whenChanged: "new")',
    difference
  })
