/** So many values of a label are told apart; all beyond are `_other`. */
const MOST = 100

const seen = new Map<string, Set<string>>()

/**
 * The value under which something is metered. Models, agents and servers are named in code, mostly; who names them out of
 * data must not fill the registry, which forgets nothing.
 */
export const bounded = (label: string, value: string): string => {
  let values = seen.get(label)
  if (values === undefined) seen.set(label, (values = new Set()))
  if (values.has(value)) return value
  if (values.size >= MOST) return OTHER
  values.add(value)
  return value
}

/** Stands for all values that are not told apart. */
export const OTHER = "_other"
