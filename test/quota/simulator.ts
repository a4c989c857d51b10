/**
 * A provider and the agents that ask it, in simulated time: no clock, no sockets, and the same run every time. The
 * provider refuses at once what is beyond its capacity, as with a 429 without Retry-After; those who are refused come
 * again after a backoff with full jitter.
 */
import type { Adaptive } from "../../src/internal/quota/adaptive.ts"

export interface World {
  /** Milliseconds in all. */
  readonly until: number
  /** Requests that the provider takes at once at this time; more are refused. */
  readonly capacity?: ((now: number) => number) | undefined
  /** Milliseconds to make an answer, while so many are being made. */
  readonly service: (random: () => number, now: number, working: number) => number
  /** Answers that it makes at once at this time; the others wait for their turn. */
  readonly workers?: ((now: number) => number) | undefined
  /** Agents that ask, one request each, at this time. */
  readonly agents?: ((now: number) => number) | undefined
  /** Milliseconds to the provider and back. */
  readonly wire?: number | undefined
  readonly seed?: number | undefined
}

/** A hundred milliseconds of a run. */
interface Bin {
  /** Requests that the provider held, on average. */
  busy: number
  sent: number
  refused: number
  done: number
  /** All limits together, at its beginning. */
  limit: number
}

/** Result of a run. Times are from the beginning, in milliseconds, and of whole tenths of a second. */
export interface Run {
  /** Refused requests as a share of all that were sent. */
  readonly refusedShare: number
  /** Requests that the provider held on average. */
  readonly busy: (from: number, to: number) => number
  /** Time from `from` until it first held at least so many (and at most so many). */
  readonly reaches: (from: number, least: number, most?: number) => number
  readonly limits: (from: number, to: number) => ReadonlyArray<number>
  readonly sent: (from: number, to: number) => number
  readonly refused: (from: number, to: number) => number
  readonly done: (from: number, to: number) => number
}

const BIN = 100

const sum = (list: ReadonlyArray<Bin>, of: (bin: Bin) => number): number => list.reduce((all, one) => all + of(one), 0)

/** mulberry32: small, and the same on every machine. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Lognormal times of this median; `sigma` is the deviation of the logarithm, 1 for lengths of answers that differ as
 * much as LLMs' do.
 */
export const lognormal =
  (median: number, sigma: number) =>
  (random: () => number): number =>
    median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** A binary heap of what is to happen, the earliest first, in the order of asking if at the same time. */
class Agenda {
  readonly #heap: Array<Event> = []
  #order = 0

  add(at: number, run: () => void): void {
    const heap = this.#heap
    const event = { at, order: this.#order++, run }
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = event
  }

  next(): Event | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
    return top
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Runs a world in which each of these limits a process of its own, with an equal share of the agents. */
export const run = (world: World, ...adaptives: ReadonlyArray<Adaptive>): Run => {
  const random = randomOf(world.seed ?? 1)
  const agenda = new Agenda()
  const wire = world.wire ?? 2
  const bins = Array.from({ length: Math.ceil(world.until / BIN) }, (): Bin => ({
    busy: 0,
    sent: 0,
    refused: 0,
    done: 0,
    limit: 0
  }))
  let now = 0
  const bin = (): Bin => bins[Math.min(bins.length - 1, Math.floor(now / BIN))]!

  // The provider: `held` are at it, of whom `working` are being answered.
  let held = 0
  let working = 0
  let busySince = 0
  const turns: Array<() => void> = []
  const account = (change: number): void => {
    while (busySince < now) {
      const index = Math.floor(busySince / BIN)
      const end = Math.min(now, (index + 1) * BIN)
      if (bins[index] !== undefined) bins[index].busy += (held * (end - busySince)) / BIN
      busySince = end
    }
    held += change
  }
  const work = (): void => {
    while (turns.length > 0 && working < (world.workers?.(now) ?? Infinity)) {
      working++
      turns.shift()!()
    }
  }
  /** Calls back when it answers, with whether it refused. */
  const arrive = (reply: (refused: boolean) => void): void => {
    if (held >= (world.capacity?.(now) ?? Infinity)) {
      agenda.add(now + wire / 2, () => reply(true))
      return
    }
    account(1)
    turns.push(() =>
      agenda.add(now + world.service(random, now, working), () => {
        account(-1)
        working--
        agenda.add(now + wire / 2, () => reply(false))
        work()
      })
    )
    work()
  }

  // Each process has its own limit and its own share of the agents.
  const pumps = adaptives.map((adaptive) => {
    let inFlight = 0
    /** Agents that wait for another attempt, and attempts that wait for room, as the number of refusals before each. */
    let away = 0
    const again: Array<number> = []
    const pump = (): void => {
      for (;;) {
        if (inFlight >= adaptive.limit()) return
        const agents = (world.agents?.(now) ?? 10_000) / adaptives.length
        if (again.length === 0 && inFlight + away >= agents) return
        const refusals = again.shift() ?? 0
        const count = ++inFlight
        const sentAt = now
        bin().sent++
        agenda.add(now + wire * (0.4 + 0.2 * random()), () =>
          arrive((refused) => {
            inFlight--
            if (refused) {
              bin().refused++
              adaptive.refused(now, sentAt, count)
              away++
              agenda.add(now + random() * 500 * 2 ** Math.min(refusals, 6), () => {
                away--
                again.push(refusals + 1)
                pump()
              })
            } else {
              bin().done++
              adaptive.answered(now, sentAt, count)
            }
            pump()
          })
        )
      }
    }
    return pump
  })
  for (let at = 0; at < world.until; at += BIN) {
    agenda.add(at, () => {
      bin().limit = adaptives.reduce((all, adaptive) => all + adaptive.limit(), 0)
      work()
      for (const pump of pumps) pump()
    })
  }
  for (let event = agenda.next(); event !== undefined && event.at < world.until; event = agenda.next()) {
    now = event.at
    event.run()
  }
  now = world.until
  account(0)

  const slice = (from: number, to: number): ReadonlyArray<Bin> => bins.slice(from / BIN, to / BIN)
  const total = (of: (bin: Bin) => number) => (from: number, to: number) => sum(slice(from, to), of)
  return {
    refusedShare: sum(bins, (one) => one.refused) / sum(bins, (one) => one.sent),
    busy: (from, to) => (total((one) => one.busy)(from, to) * BIN) / (to - from),
    reaches: (from, least, most = Infinity) => {
      const index = slice(from, world.until).findIndex((one) => one.busy >= least && one.busy <= most)
      return index < 0 ? Infinity : (index + 1) * BIN
    },
    limits: (from, to) => slice(from, to).map((one) => one.limit),
    sent: total((one) => one.sent),
    refused: total((one) => one.refused),
    done: total((one) => one.done)
  }
}
