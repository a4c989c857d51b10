/**
 * Invariants of waiting for a map: no request is refused without cause, none is forgotten. Pure: it reads a history.
 */
import type { Violation } from "./history.ts"
import {
  isWanted,
  type LeaseHistory,
  type LeaseOperation,
  type Leases,
  type LeaseSetup,
  releasing,
  sorted
} from "./leaseHistory.ts"

type Check = (leases: Leases, setup: LeaseSetup) => ReadonlyArray<Violation>

/** It was interrupted, or its scope has closed. */
const gaveUp = ({ of }: Leases, op: number, at: number): boolean =>
  [...of("interrupt"), ...of("end")].some(({ call, from }) => call.of === op && from < at)

const isUnderWay = ({ from, to }: LeaseOperation, at: number): boolean => from < at && at < to

/** An operation that waits while all is quiet must wait for something that is under way, or for room that nobody has. */
const nobodyIsForgotten: Check = (leases, { maxEntries }) =>
  leases.of("quiet").flatMap(({ from: at }) => {
    const builds = leases.of("build").filter((one) => isUnderWay(one, at))
    const isReleasing = leases.of("release").some((one) => isUnderWay(one, at))
    // A build that nobody waits for any more takes no room, though it may not be stopped.
    const isAsked = (key: string) => leases.of("get").some((get) => get.call.key === key && isUnderWay(get, at))
    const busy = leases.values.filter(
      (value) => isWanted(value, at) || (isUnderWay(value.build, at) && isAsked(value.key))
    ).length
    // An interrupted `get` gives back first, as the ends of leases do: the last one waits for the release.
    const waiting = leases.of("get").filter((get) => isUnderWay(get, at))
    const isLeaving = ({ op }: LeaseOperation) =>
      leases.of("interrupt").some(({ call, from }) => call.of === op && from < at)
    const leaving = waiting.filter(isLeaving)
    const asking = waiting.filter((get) => !isLeaving(get))
    const gets = asking.filter(
      ({ call, op }) =>
        !builds.some((build) => build.call.key === call.key) &&
        busy < maxEntries &&
        !(isReleasing && gaveUp(leases, op, at))
    )
    const others = [...leaving, ...leases.of("end"), ...leases.of("invalidate"), ...leases.of("close")].filter(
      (one) => isUnderWay(one, at) && !isReleasing && builds.length === 0
    )
    return [...gets, ...others].map(({ call, op }) => ({
      rule: "no wakeup is lost",
      what: `${call.f} ${op} waits at ${at} for nothing`
    }))
  })

const allSettle: Check = ({ closed, of }) =>
  closed === Infinity
    ? [{ rule: "all settle in the end", what: "the map never closed" }]
    : [...of("get"), ...of("end"), ...of("invalidate")]
        .filter(({ to }) => to === Infinity)
        .map(({ call, op }) => ({ rule: "all settle in the end", what: `${call.f} ${op} did not` }))

/** A `get` that comes after a build has failed, and after all that came of it, gets a build of its own. */
const failuresAreForgotten: Check = ({ of }) =>
  of("get").flatMap((get) => {
    if (get.detail?.reason !== "build") return []
    const build = of("build").find(({ call }) => call.value === get.detail?.value)
    const isOld = build !== undefined && of("quiet").some(({ from }) => build.to < from && from < get.from)
    return isOld ? [{ rule: "a failure is not remembered", what: `${get.op} got that of ${build.call.value}` }] : []
  })

/** A `get` is refused only if no value was idle all the while: such a value could have made room. */
const refusedForCause: Check = ({ closing, of, values }, { maxEntries }) =>
  of("get").flatMap(({ call, detail, end, from, op, to }) => {
    if (end !== "fail") return []
    if (detail?.reason === "Closed" && closing > to) return [{ rule: "refused for cause", what: `${op} as closed` }]
    if (detail?.reason === "other") return [{ rule: "refused for cause", what: `${op} with something else` }]
    if (detail?.reason !== "Capacity") return []
    // Before all was quiet somebody who gave up may have had it still.
    const calm = Math.max(-1, ...of("quiet").flatMap((quiet) => (quiet.from < from ? [quiet.from] : [])))
    const idle = values.find(
      (value) =>
        value.build.end === "ok" &&
        value.build.to < calm &&
        releasing(value) > to &&
        value.holds.length > 0 &&
        value.holds.every(({ asked, ended }) => ended < calm || asked > to) &&
        !of("get").some((get) => get.call.key === value.key && get.from < to && get.to > calm && get.op !== op)
    )
    const isRoomy = maxEntries === Infinity || idle !== undefined
    return isRoomy
      ? [{ rule: "refused for cause", what: `${op} for ${call.key}, though ${idle?.value ?? "all"} was idle` }]
      : []
  })

const interruptedBySomebody: Check = (leases) =>
  leases
    .of("get")
    .filter(({ end, op, to }) => end === "unknown" && !gaveUp(leases, op, to))
    .map(({ op }) => ({ rule: "nobody is interrupted by the map", what: `${op} was` }))

/** A failing finalizer is invisible to the operations that give back. */
const givingBackSucceeds: Check = ({ of }) =>
  [...of("end"), ...of("invalidate"), ...of("close")]
    .filter(({ end }) => end === "fail" || end === "unknown")
    .map(({ call, op }) => ({ rule: "giving back never fails", what: `${call.f} ${op} did` }))

/** Closing begins all releases before any of them has had time: none waits while another goes on. */
const closesInParallel: Check = ({ closing, of, values }) => {
  const quiet = of("quiet").find(({ from }) => from > closing)
  const goesOn = quiet !== undefined && of("release").some((one) => isUnderWay(one, quiet.from))
  if (!goesOn) return []
  return values
    .filter((value) => value.acquired && value.build.to < closing && releasing(value) > quiet.from)
    .map(({ value }) => ({ rule: "closing releases all at once", what: `${value} had to wait` }))
}

const checks: ReadonlyArray<Check> = [
  nobodyIsForgotten,
  allSettle,
  failuresAreForgotten,
  refusedForCause,
  interruptedBySomebody,
  givingBackSucceeds,
  closesInParallel
]

export const checkWaits = (history: LeaseHistory, setup: LeaseSetup): ReadonlyArray<Violation> => {
  const leases = sorted(history)
  return checks.flatMap((check) => check(leases, setup))
}
