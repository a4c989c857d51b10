/** Most values of a label; all beyond are `_other`. */
const MAX_LABEL_VALUES = 100

const seen = new Map<string, Set<string>>()

/**
 * The value under which something is metered. Models, agents and servers are mostly named in code; names out of data
 * must not fill the registry, which drops nothing.
 */
export const bounded = (label: string, value: string): string => {
  let values = seen.get(label)
  if (values === undefined) seen.set(label, (values = new Set()))
  if (values.has(value)) return value
  if (values.size >= MAX_LABEL_VALUES) return OTHER
  values.add(value)
  return value
}

/** Stands for all values beyond the bound. */
export const OTHER = "_other"
