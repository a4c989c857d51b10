/** Compares one outcome with that of the bare SDK. Each figure is at most 1 if its target is met. */
import type { Draw, Outcome } from "./run.ts"

export interface Judgement {
  readonly target: string
  /** Above 1 it is missed, by that factor. */
  readonly ratio: number
}

const countBefore = (times: ReadonlyArray<number>, at: number): number => {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! <= at) low = middle + 1
    else high = middle
  }
  return low
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Infinity

/** The share of chance in a count: two standard deviations. */
const chance = (count: number): number => 2 * Math.sqrt(count) + 1

const LAG = 2_000

const answersInTime = (ours: Outcome, bare: Outcome, until: number): number => {
  let worst = 0
  for (let t = LAG; t <= until; t += 500) {
    const due = countBefore(bare.answers, t - LAG)
    worst = Math.max(worst, (0.98 * due) / (countBefore(ours.answers, t) + chance(due)))
  }
  return worst
}

const isBack = (answers: ReadonlyArray<number>, from: number, until: number, speed: number): number => {
  const window = 2_000
  for (let t = from; t + window <= until; t += 250) {
    if (countBefore(answers, t + window) - countBefore(answers, t) >= 0.9 * speed * window) return t - from
  }
  return Infinity
}

/** The most that came within a second. */
const worstSecond = (times: ReadonlyArray<number>, from: number, to: number): number => {
  let worst = 0
  for (let t = from; t < to; t += 100) worst = Math.max(worst, countBefore(times, t + 1_000) - countBefore(times, t))
  return worst
}

const rows = (outcome: Outcome): number => outcome.answered + outcome.failed

const perAnswer = (outcome: Outcome): number => outcome.requests / outcome.answered

export const judge = ({ law, until }: Draw, ours: Outcome, bare: Outcome): ReadonlyArray<Judgement> => {
  const share = (outcome: Outcome): number => outcome.answered / rows(outcome)
  const all: Array<Judgement> = [{ target: "answers in time", ratio: answersInTime(ours, bare, until) }]
  const slack = 0.005 + chance(bare.failed) / rows(bare)
  all.push({ target: "share answered", ratio: share(bare) / (share(ours) + slack) })
  const noise = 1 + chance(bare.requests - bare.answered) / bare.answered
  all.push({ target: "requests per answer", ratio: perAnswer(ours) / (1.05 * perAnswer(bare) * noise) })
  const { outages } = law
  // Targets about one outage and the time after it do not apply to flapping.
  const [outage] = outages.length === 1 ? outages : []
  if (outage === undefined) {
    if (outages.length > 0) return all
    // If failures are about one in a hundred, chance alone decides whether they are among the slowest hundredth.
    const q = 0.99 - chance(bare.failed) / rows(bare)
    const [mine, theirs] = [quantile(ours.latencies, q), quantile(bare.latencies, 0.99)]
    if (theirs < Infinity) all.push({ target: "p99", ratio: mine / (1.5 * theirs) })
    return all
  }
  const { from, to, trouble } = outage
  const wasWorkedOn = trouble === "reset" || trouble === "stall" || trouble === 500
  if (!wasWorkedOn && law.p === 0 && to - from <= 10_000 && law.capacity === Infinity) {
    all.push({ target: "all answered", ratio: ours.failed === 0 ? 1 : 1 + ours.failed })
  }
  const speed = (countBefore(bare.answers, from) - countBefore(bare.answers, from / 2)) / (from / 2)
  const back = isBack(bare.answers, to, until, speed)
  if (back < Infinity) all.push({ target: "back", ratio: isBack(ours.answers, to, until, speed) / (back + LAG) })
  const isDead = trouble !== 429 && trouble !== "stall"
  if (isDead && to - from > 3_000) {
    const seconds = (to - from - 2_000) / 1_000
    const dead = countBefore(ours.arrivals, to) - countBefore(ours.arrivals, from + 2_000)
    all.push({ target: "to the dead", ratio: dead / (10 * seconds) })
  }
  const before = worstSecond(ours.arrivals, from / 2, from - 1_000)
  if (before > 0) {
    const after = worstSecond(ours.arrivals, to, Math.min(until, to + 10_000) - 1_000)
    all.push({ target: "worst second after", ratio: after / (1.1 * before + chance(before)) })
  }
  return all
}
