/** Invariants of a credential: when tokens are loaded, and which request gets which. Pure: it reads a history. */
import type { CredentialHistory, Uses } from "./credentialHistory.ts"
import { sorted } from "./credentialHistory.ts"
import type { Violation } from "./history.ts"

type Check = (uses: Uses) => ReadonlyArray<Violation>

interface Span {
  readonly from: number
  readonly to: number
}

const isUnderWay = ({ from, to }: Span, at: number): boolean => from < at && at < to

/** For whom a load may be: those who ask now, or those who still wait for an older version. */
const versionsOf = ({ of }: Uses, load: { readonly from: number; readonly call: { readonly version: number } }) =>
  [load, ...of("use").filter((use) => isUnderWay(use, load.from))].map(({ call }) => call.version)

/** One that nobody waits for is on its way out, be it interrupted yet or not, and another may begin meanwhile. */
const oneLoadAtATime: Check = (uses) =>
  uses.of("load").flatMap((load) =>
    uses
      .of("load")
      .filter((other) => isUnderWay(other, load.from) && other.end !== "unknown" && load.end !== "unknown")
      .filter((other) => new Set([...versionsOf(uses, load), ...versionsOf(uses, other)]).size === 1)
      .filter((other) => {
        const calm = Math.max(-1, ...uses.of("quiet").flatMap(({ from }) => (from < other.from ? [from] : [])))
        return !uses.of("use").some(({ end, to }) => end === "unknown" && calm < to && to < load.from)
      })
      .map((other) => ({ rule: "one load at a time a version", what: `${load.op} began beside ${other.op}` }))
  )

const givers = ({ of }: Uses, token: string | undefined) =>
  of("load").filter((load) => load.end === "ok" && load.detail?.token === token)

/**
 * Once a refusal is known, the token goes to nobody, unless a load that began later gives it again. A refusal that comes
 * twice says nothing new, if nobody had the token in between.
 */
const nothingRefused: Check = (uses) =>
  uses.of("refuse").flatMap(({ call, detail, op, to: known }) => {
    if (detail?.helps !== true) return []
    const before = uses
      .of("refuse")
      .filter((one) => one.op !== op && one.call.token === call.token && one.detail?.helps === true && one.to < known)
      .at(-1)
    const loads = givers(uses, call.token)
    const isHad = ({ detail: got, to }: { readonly detail: typeof detail | undefined; readonly to: number }) =>
      got?.token === call.token && (before?.to ?? -1) < to && to < known
    if (!uses.of("use").some(isHad)) return []
    return uses
      .of("use")
      .filter(
        ({ detail: got, to }) =>
          got?.token === call.token && to > known && !loads.some((load) => load.from > known && load.to < to)
      )
      .map((use) => ({ rule: "no refused token is handed out", what: `${call.token} to ${use.op}, after ${op}` }))
  })

const nothingExpired: Check = (uses) =>
  uses.of("use").flatMap(({ detail, end, op, to, until }) => {
    if (end !== "ok") return []
    const loads = givers(uses, detail?.token).filter((load) => load.to < to)
    return loads.some((load) => until < (load.detail?.expiresAt ?? Infinity))
      ? []
      : [{ rule: "no expired token is handed out", what: `${detail?.token} to ${op} at ${until} ms` }]
  })

const nothingOutdated: Check = (uses) =>
  uses.of("use").flatMap(({ call, detail, end, op, to }) => {
    if (end !== "ok") return []
    const loads = givers(uses, detail?.token).filter((load) => load.to < to)
    return loads.some((load) => load.call.version >= call.version)
      ? []
      : [{ rule: "no token of an old version is handed out", what: `${detail?.token} to ${op}` }]
  })

/** A use that fails has waited for a load that failed, or whose token had expired when it came. */
const failsForCause: Check = ({ of }) =>
  of("use")
    .filter(({ end, from, op, to }) => {
      const isAborted = of("abort").some(({ call }) => call.of === op)
      if (end === "unknown") return !isAborted
      const failed = of("load").some((load) => {
        const isStale = load.end === "ok" && load.until >= (load.detail?.expiresAt ?? Infinity)
        return load.to > from && load.to < to && (load.end === "fail" || isStale)
      })
      return end === "fail" && !failed
    })
    .map(({ op }) => ({ rule: "fails for cause", what: `${op} failed by itself` }))

/** A use that waits while all is quiet waits for a load, and an aborted one does not wait. */
const nobodyIsForgotten: Check = ({ of }) =>
  of("quiet").flatMap(({ from: at }) => {
    const isLoading = of("load").some((load) => isUnderWay(load, at))
    return of("use")
      .filter((use) => isUnderWay(use, at))
      .filter(({ op }) => !isLoading || of("abort").some(({ call, from }) => call.of === op && from < at))
      .map(({ op }) => ({ rule: "no wakeup is lost", what: `${op} waits at ${at} for nothing` }))
  })

/**
 * A load that nobody waits for is one ahead of time: there was another token when the last use asked for it. Its fiber may
 * begin later, when that token is over.
 */
const loadsForSomebody: Check = ({ of }) =>
  of("quiet").flatMap(({ from: at }) => {
    if (of("use").some((use) => isUnderWay(use, at))) return []
    return of("load")
      .filter((load) => isUnderWay(load, at))
      .filter((load) => {
        const asked = of("use").findLast((use) => use.from < load.from)?.at ?? load.at
        return !of("load").some((other) => other.to < load.from && asked < (other.detail?.expiresAt ?? -1))
      })
      .map(({ op }) => ({ rule: "no load goes on for nobody", what: `${op} at ${at}` }))
  })

const allSettle: Check = ({ of }) =>
  of("use")
    .filter(({ to }) => to === Infinity)
    .map(({ op }) => ({ rule: "all settle in the end", what: `${op} did not` }))

const checks: ReadonlyArray<Check> = [
  oneLoadAtATime,
  nothingRefused,
  nothingExpired,
  nothingOutdated,
  failsForCause,
  nobodyIsForgotten,
  loadsForSomebody,
  allSettle
]

export const checkCredential = (history: CredentialHistory): ReadonlyArray<Violation> => {
  const uses = sorted(history)
  return [...uses.broken, ...checks.flatMap((check) => check(uses))]
}
