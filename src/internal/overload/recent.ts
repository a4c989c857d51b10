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
