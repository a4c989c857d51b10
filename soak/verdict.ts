/** Result of a soak: its figures, and the reasons for which it failed, if it did. */
import type { Ledger } from "./ledger.ts"
import type { Counts } from "./server.ts"
import type { Sample, Trend } from "./samples.ts"

/** Resources after all is closed, beyond those before: all 0. */
interface Left {
  /** Leases and requests when all agents had ended, before the layer closed. */
  readonly leases: number
  /** Sockets and all else. */
  readonly descriptors: number
  /** Sockets that servers still hold open. */
  readonly serverSockets: number
  /** Timers that keep a process alive. */
  readonly timers: number
}

export interface Report {
  readonly command: string
  readonly ledger: Ledger
  readonly samples: ReadonlyArray<Sample>
  readonly heap: Trend
  readonly descriptors: Trend
  /** Share by which both may grow, `undefined` if the soak was too short to judge that. */
  readonly tolerance: number | undefined
  readonly left: Left
  readonly server: Counts
  /** Empty if all is well. */
  readonly failures: ReadonlyArray<string>
}

export const failures = ({
  descriptors,
  heap,
  ledger,
  left,
  server,
  tolerance
}: Omit<Report, "failures">): ReadonlyArray<string> => {
  const why: Array<string> = []
  const none = (count: number, what: string): void => {
    if (count !== 0) why.push(`${count} ${what}`)
  }
  if (ledger.answered === 0) why.push("nothing was answered")
  none(ledger.unsettled, "requests were not settled after their deadline")
  none(ledger.unexpected, "defects or untyped errors")
  none(ledger.wrong, "wrong answers")
  for (const [what, { first, growth, last }] of Object.entries({ heap, descriptors })) {
    // A growth that is not a number is a failure.
    if (tolerance !== undefined && !(growth <= tolerance)) {
      why.push(`${what} grew by ${(100 * growth).toFixed(1)} %: ${first.toFixed(1)} to ${last.toFixed(1)}`)
    }
  }
  none(left.leases, "leases left")
  none(left.descriptors, "descriptors left")
  none(left.serverSockets, `sockets left at the servers (${server.open.join("; ")})`)
  none(left.timers, "timers left")
  return why
}

const counted = (all: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, string]> =>
  [...all].sort((a, b) => b[1] - a[1]).map(([what, count]) => [`  ${what}`, String(count)] as const)

const compared = ({ first, growth, last }: Trend, unit: string, isJudged: boolean): string =>
  `${first.toFixed(1)} to ${last.toFixed(1)} ${unit} (${growth >= 0 ? "+" : ""}${(100 * growth).toFixed(2)} %)` +
  (isJudged ? "" : ", after too short a time to judge")

const peak = (samples: ReadonlyArray<Sample>, of: "p50" | "p99"): string => {
  const sorted = samples.map((one) => one[of]).sort((a, b) => a - b)
  const at = (part: number): string => (sorted[Math.floor(part * (sorted.length - 1))] ?? NaN).toFixed(0)
  return `${at(0.5)} ms, at worst ${at(1)} ms`
}

const sum = (all: ReadonlyMap<string, number>): number => [...all.values()].reduce((total, count) => total + count, 0)

export const table = ({
  descriptors,
  failures,
  heap,
  ledger,
  left,
  samples,
  server,
  command,
  tolerance
}: Report): string => {
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["requests", String(ledger.requests)],
    ...counted(ledger.acts),
    ["answered", String(ledger.answered)],
    ["aborted by the caller", String(ledger.givenUp)],
    ["failed", String(sum(ledger.errors))],
    ...counted(ledger.errors),
    ["not settled", String(ledger.unsettled)],
    ["wrong answers", String(ledger.wrong)],
    ["defects and untyped errors", String(ledger.unexpected)],
    ["faults", String(sum(ledger.faults))],
    ...counted(ledger.faults),
    ["requests at the servers", String(server.requests)],
    ["  of them struck by a fault of the sandbox", String(server.struck)],
    ["p50, median of samples", peak(samples, "p50")],
    ["p99, median of samples", peak(samples, "p99")],
    ["heap, first third to last", compared(heap, "MB", tolerance !== undefined)],
    ["descriptors beside the pool's sockets", compared(descriptors, "", tolerance !== undefined)],
    [
      "left at the end",
      `${left.leases} leases, ${left.descriptors} descriptors, ${left.serverSockets} sockets at the servers and ${server.proxied} at their proxies, ${left.timers} timers`
    ]
  ]
  const width = Math.max(...rows.map(([what]) => what.length))
  const verdict =
    failures.length === 0
      ? ["all is well"]
      : ["FAILED:", ...failures.map((why) => `  ${why}`), ...ledger.told.map((what) => `  ${what}`)]
  return [...rows.map(([what, value]) => `${what.padEnd(width)}  ${value}`), "", ...verdict, `replay: ${command}`].join(
    "\n"
  )
}
