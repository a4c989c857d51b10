/** Figures as people read them. */

export const count = (value: number): string => Math.round(value).toLocaleString("en-US")

/** `1,234 rows`, `1 row`. */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`

/** A format takes milliseconds to make, which a start need not wait for. */
const lazily = (options: Intl.NumberFormatOptions): ((value: number) => string) => {
  let made: Intl.NumberFormat | undefined
  return (value) => (made ??= new Intl.NumberFormat("en-US", options)).format(value)
}

/** `987`, `12.3K`, `4.56M`. */
export const short = lazily({ notation: "compact", maximumSignificantDigits: 3 })

const cents = lazily({ style: "currency", currency: "USD" })

const fractions = lazily({ style: "currency", currency: "USD", maximumSignificantDigits: 2 })

/** `$12.34`; below a dollar two digits that count, as `$0.0042`. */
export const dollars = (value: number): string => (value === 0 || value >= 1 ? cents(value) : fractions(value))

const padded = (value: number): string => String(value).padStart(2, "0")

/** `0:09`, `12:34`, `3:07:00`. */
export const duration = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${padded(m)}:${padded(s)}` : `${m}:${padded(s)}`
}

export const rate = (perSecond: number): string =>
  `${perSecond >= 100 ? count(perSecond) : perSecond.toFixed(1)} rows/s`

/** Failures by reason, the most frequent first. */
export const reasons = (failures: Readonly<Record<string, number>>, most = 5): string => {
  const sorted = Object.entries(failures).toSorted(([, a], [, b]) => b - a)
  const listed = sorted.slice(0, most).map(([reason, times]) => `${reason} ${count(times)}`)
  return [...listed, ...(sorted.length > most ? ["..."] : [])].join(", ")
}
