/** Types and arithmetic shared by all benches. */
import { currentLine } from "./line.ts"

export interface Options {
  /** Runs of each variant. */
  readonly runs: number
  /** Shortens benches that take minutes. */
  readonly quick: boolean
  /** Parts of names of scenarios, for benches that have such. @default all */
  readonly scenarios?: ReadonlyArray<string> | undefined
  /** Seeds of scenarios. @default `runs` */
  readonly seeds?: number | undefined
}

/** One line of the table. */
export interface Figure {
  readonly what: string
  /** The median of the runs. */
  readonly value: number
  /** Unit printed after the value, for instance `x`, `sockets`, `us`. */
  readonly unit: string
  /** At least this, and at most this; both absent for what is printed for information only. */
  readonly atLeast?: number | undefined
  readonly atMost?: number | undefined
  /** Spread, absolute figures, method of measurement. */
  readonly note?: string | undefined
}

export interface Bench {
  readonly name: string
  readonly about: string
  /** Runs only when it is named, since it takes long. */
  readonly isLong?: boolean | undefined
  readonly run: (options: Options) => Promise<ReadonlyArray<Figure>>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

export const round = (value: number, digits: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits })

/** The lowest and the highest of the runs. */
export const spread = (values: ReadonlyArray<number>, digits: number): string =>
  `${round(Math.min(...values), digits)} to ${round(Math.max(...values), digits)}`

let last: Promise<unknown> = Promise.resolve()

/** One at a time, in the order of the calls, whichever line they are of. */
const alone = <A>(measure: () => Promise<A>): Promise<A> => {
  const next = last.then(measure)
  last = next.catch(() => undefined)
  return next
}

/**
 * Measures A B C, A B C, ...: what changes with time (heat, neighbours, other load) meets all variants alike, and the ratios
 * of one turn are free of it. Of two lines that are measured at the same time it is A3 A4 B3 B4 ... The results of each variant, in the order of the turns.
 */
export const interleaved = async <Name extends string, A>(
  variants: Readonly<Record<Name, () => Promise<A>>>,
  runs: number
): Promise<Readonly<Record<Name, ReadonlyArray<A>>>> => {
  const names = Object.keys(variants) as Array<Name>
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<A>>
  for (let turn = 1; turn <= runs; turn++) {
    for (const name of names) {
      const measured = await alone(() => {
        process.stderr.write(`  ${turn}/${runs} ${name}, Effect ${currentLine()}\n`)
        return variants[name]()
      })
      results[name].push(measured)
    }
  }
  return results
}

/** Ratio of one variant's cost to another's, turn by turn. */
export const ratios = (of: ReadonlyArray<number>, to: ReadonlyArray<number>): ReadonlyArray<number> =>
  of.map((value, i) => value / (to[i] ?? NaN))
