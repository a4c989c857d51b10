/** Finds the name that a misspelt one was meant to be. */
const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "")

/** The name closest to a given one, `undefined` if none is near. */
export const nearest = (name: string, names: ReadonlyArray<string>): string | undefined => {
  const wanted = plain(name.slice(0, 40))
  let best: string | undefined
  let least = 3
  for (const candidate of names) {
    const known = plain(candidate)
    // `defaultHeaders`, as the SDKs have it, holds `headers`.
    const cost = known.length > 2 && wanted.endsWith(known) ? 1 : distance(wanted, known)
    if (cost < least) {
      least = cost
      best = candidate
    }
  }
  return best
}

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
