/** The largest value of the last five to ten seconds, in two buckets, so that noting one costs a comparison. */

const BUCKET_MS = 5_000

export interface Recent {
  bucketAt: number
  current: number
  previous: number
}

export const make = (): Recent => ({ bucketAt: -Infinity, current: 0, previous: 0 })

const turn = (recent: Recent, now: number): void => {
  const age = now - recent.bucketAt
  if (age < BUCKET_MS) return
  recent.previous = age < 2 * BUCKET_MS ? recent.current : 0
  recent.current = 0
  recent.bucketAt = age < 2 * BUCKET_MS ? recent.bucketAt + BUCKET_MS : now
}

export const note = (recent: Recent, now: number, value: number): void => {
  turn(recent, now)
  if (value > recent.current) recent.current = value
}

export const max = (recent: Recent, now: number): number => {
  turn(recent, now)
  return Math.max(recent.current, recent.previous)
}

/** Events a second, of the busiest second of late. */
export interface Rate {
  secondAt: number
  count: number
  readonly busiest: Recent
}

export const makeRate = (): Rate => ({ secondAt: -Infinity, count: 0, busiest: make() })

const SECOND_MS = 1_000

export const countOne = (rate: Rate, now: number): void => {
  if (now - rate.secondAt >= SECOND_MS) {
    if (rate.count > 0) note(rate.busiest, rate.secondAt + SECOND_MS, rate.count)
    rate.secondAt = now
    rate.count = 0
  }
  rate.count++
}

export const perSecond = ({ busiest, count }: Rate, now: number): number => Math.max(count, max(busiest, now))
