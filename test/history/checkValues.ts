/**
 * Invariants of the values of a map: their lifetimes, and which lease may hold which value. Pure: it reads a history.
 */
import type { Violation } from "./history.ts"
import {
  isWanted,
  type LeaseHistory,
  type Leases,
  type LeaseSetup,
  releasing,
  sorted,
  type Value
} from "./leaseHistory.ts"

type Check = (leases: Leases, setup: LeaseSetup) => ReadonlyArray<Violation>

const invalidatedBetween = ({ of }: Leases, key: string, from: number, to: number): boolean =>
  of("invalidate").some((one) => one.call.key === key && one.from < to && one.to > from)

/** Leases that outlast the next build of their key must have seen their value invalidated. */
const oneLives: Check = (leases) =>
  leases.values.flatMap((next) =>
    leases.values.flatMap((value) => {
      const at = next.build.from
      if (value.key !== next.key || value.build.from >= at || leases.closing < at) return []
      const isStillHad = value.holds.some(({ ending }) => ending > at)
      if (!isStillHad || invalidatedBetween(leases, value.key, value.build.from, at)) return []
      return [{ rule: "one live value a key", what: `${next.value} was built while ${value.value} was leased` }]
    })
  )

const releasedOnce: Check = ({ values }) =>
  values.flatMap(({ acquired, releases, value }) => {
    const times = releases.length
    return times === (acquired ? 1 : 0) && releases.every(({ to }) => to !== Infinity)
      ? []
      : [{ rule: "released exactly once", what: `${value} was released ${times} times` }]
  })

const neverWhileLeased: Check = ({ closing, values }) =>
  values.flatMap((value) =>
    value.holds
      .filter(({ ending, got }) => {
        const at = releasing(value)
        return at < closing && got < at && at < ending
      })
      .map(() => ({ rule: "never released while leased", what: `${value.value} was` }))
  )

const neverAfterRelease: Check = ({ closing, values }) =>
  values.flatMap((value) =>
    value.holds
      .filter(({ ending, got }) => releasing(value) < got && got < ending && releasing(value) < closing)
      .map(({ got }) => ({ rule: "nothing released is lent", what: `${value.value} at ${got}` }))
  )

const neverAfterInvalidation: Check = (leases) =>
  leases.of("invalidate").flatMap(({ call, from, to }) =>
    leases.values.flatMap((value) =>
      value.key !== call.key || value.build.from > from
        ? []
        : leases
            .of("get")
            .filter((get) => get.from > to && get.end === "ok" && get.detail?.value === value.value)
            .map(({ op }) => ({ rule: "nothing invalidated is lent", what: `${value.value} to ${op}` }))
    )
  )

const nothingAfterClose: Check = ({ closed, values }) =>
  values
    .filter(({ build }) => build.from > closed)
    .map(({ value }) => ({ rule: "a closed map builds nothing", what: `it built ${value}` }))

const makersWorld: Check = ({ values }) =>
  values
    .filter(({ build }) => build.call.world !== "maker")
    .map(({ build, value }) => ({ rule: "a build sees the maker's world", what: `${value} saw ${build.call.world}'s` }))

/** True if at some moment in between more may have lived, or been asked for, than capacity. */
const hasPressure = ({ of, values }: Leases, capacity: number, from: number, to: number): boolean =>
  [from, ...[...of("get"), ...of("build")].map((one) => one.from), to].some((at) => {
    const live = values.filter((one) => one.build.from <= at && releasing(one) >= at && one.build.end !== "fail")
    const asking = of("get").filter((get) => get.from <= at && get.to > at)
    return from <= at && at <= to && live.length + asking.length > capacity
  })

/** Unless somebody said so, or there is no room, a value stays for its idle time. */
const notBeforeItsTime: Check = (leases, { capacity, idleTimeToLive, maxEntries }) =>
  leases.values.flatMap((value) => {
    const [release] = value.releases
    const { build, holds, key } = value
    if (release === undefined || build.end !== "ok" || holds.length === 0 || maxEntries !== Infinity) return []
    const { at, from } = release
    if (leases.closing < from || invalidatedBetween(leases, key, build.from, from)) return []
    const before = holds.filter(({ asked }) => asked < from)
    const idleFrom = Math.max(...before.map(({ ending }) => ending))
    const idleAt = Math.max(...before.map(({ endingAt }) => endingAt))
    if (hasPressure(leases, capacity, idleFrom, from)) return []
    return at >= idleAt + idleTimeToLive
      ? []
      : [{ rule: "not released before its time", what: `${value.value} at ${at}, idle since ${idleAt}` }]
  })

const isLent = (value: Value, at: number): boolean =>
  value.build.end === "ok" && value.build.to < at && value.holds.length > 0 && releasing(value) > at

/** When those let go of a value who got nothing: what they had asked for they may have until their scope closes. */
const letGo = ({ of }: Leases, { build, key }: Value, before: number): number =>
  Math.max(
    ...of("get")
      .filter((get) => get.call.key === key && get.end !== "ok" && get.to > build.from && get.from < before)
      .map((get) => (of("end").find(({ call }) => call.of === get.op) ?? get).until)
  )

/** When all is quiet nothing is left of what is over. */
const inTime: Check = (leases, { capacity, idleTimeToLive, maxEntries }) =>
  leases.of("quiet").flatMap(({ at, from }) => {
    const live = leases.values.filter((value) => isLent(value, from))
    const idle = live.filter((value) => value.holds.every(({ ended }) => ended < from))
    const isAsked = (key: string) =>
      leases.of("get").some((get) => get.call.key === key && get.from < from && get.to > from)
    const stays = idle.filter((value) => !isAsked(value.key))
    const late = stays.filter((value) => {
      const { build, holds, key } = value
      const idleSince = Math.max(letGo(leases, value, from), ...holds.map(({ endedAt }) => endedAt))
      return (
        at >= idleSince + idleTimeToLive ||
        leases.of("invalidate").some((one) => one.call.key === key && one.from > build.from && one.from < from)
      )
    })
    const wanted = leases.values.filter((value) => isWanted(value, from)).length
    const most = Math.min(capacity, maxEntries)
    const isFull = stays.length > 0 && live.length > Math.max(most, wanted)
    return [
      ...late.map(({ value }) => ({ rule: "released in time", what: `${value} is still there at ${from}` })),
      ...(isFull
        ? [{ rule: "no more than capacity", what: `${live.length} live at ${from}, ${wanted} of them leased` }]
        : [])
    ]
  })

/** A value whose last waiter left during its build is released as soon as it is built. */
const notForNobody: Check = (leases) =>
  leases.of("quiet").flatMap(({ from }) =>
    leases.values
      .filter(({ build }) => build.end === "ok" && build.to < from && from < leases.closing)
      .filter(
        (value) =>
          value.acquired &&
          value.holds.length === 0 &&
          releasing(value) > from &&
          !leases
            .of("get")
            .some((get) => get.call.key === value.key && get.from < value.build.to && value.build.to < get.to)
      )
      .map(({ value }) => ({
        rule: "released in time",
        what: `${value}, which nobody waited for, is still there at ${from}`
      }))
  )

const notMoreThanMost: Check = ({ values }, { maxEntries }) =>
  values.flatMap(({ build: { from }, value }) => {
    const wanted = values.filter((one) => isWanted(one, from))
    return wanted.length <= maxEntries
      ? []
      : [{ rule: "no more than maxEntries", what: `${wanted.length} leased when ${value} was built` }]
  })

/** The map's counts are the history's counts. */
const counted: Check = (leases) =>
  leases.of("look").flatMap(({ call, from }) =>
    leases.values.flatMap((value) => {
      const mine = value.holds.filter(({ ended, got }) => got < from && from < ended).length
      const isEnding = value.holds.some(({ ended, ending }) => ending < from && from < ended)
      const told = call.leases.find(([one]) => one === value.value)?.[1]
      if (isEnding || value.build.end !== "ok" || value.build.to > from || releasing(value) < from || told === mine)
        return []
      return told === undefined && mine === 0
        ? []
        : [{ rule: "leases are counted", what: `${value.value} has ${mine}, the map says ${told} at ${from}` }]
    })
  )

const checks: ReadonlyArray<Check> = [
  oneLives,
  releasedOnce,
  neverWhileLeased,
  neverAfterRelease,
  neverAfterInvalidation,
  nothingAfterClose,
  makersWorld,
  notBeforeItsTime,
  inTime,
  notForNobody,
  notMoreThanMost,
  counted
]

export const checkValues = (history: LeaseHistory, setup: LeaseSetup): ReadonlyArray<Violation> => {
  const leases = sorted(history)
  return [...leases.broken, ...checks.flatMap((check) => check(leases, setup))]
}
