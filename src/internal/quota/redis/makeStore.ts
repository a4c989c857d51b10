/**
 * Budgets in Redis, over a client that somebody else opens and closes. While Redis doesn't answer, reservations are
 * refused at once, and corrections and closed gates are for this process alone.
 */
import type { Grant, Rates, SharedBudget, QuotaStore } from "../store.ts"
import type { Client } from "./client.ts"
import { reasonOf } from "./client.ts"
import * as Health from "./health.ts"
import * as scripts from "./scripts.ts"
import * as Sender from "./sender.ts"
import { MAX_TIMEOUT_MS } from "../../util/timers.ts"

export interface RedisStoreSettings {
  /** Prefix of all keys in Redis. */
  readonly prefix: string
  /** Milliseconds that a command may take. */
  readonly commandTimeout: number
  /** Milliseconds that a timer may be late without losing budget. */
  readonly lateness: number
  /** Redis stopped counting; told once until it counts again. The reason holds no secret. */
  readonly onDown: (reason: string) => void
  /** Redis counts again. */
  readonly onUp: () => void
  /** A command had no answer in time, though the connection is there. */
  readonly onTimeout: () => void
  /** Requests wait although budget is left; told once until they don't. A round trip takes so many milliseconds. */
  readonly onSlow: (roundTrip: number) => void
  readonly onQuick: () => void
}

export interface RedisStore extends QuotaStore {
  /** Resolves as soon as it is known whether Redis counts, at the latest after `commandTimeout`. */
  readonly known: Promise<void>
  /**
   * Refuses reservations from now on, and lets go of the client, which it doesn't close. Resolves when all that was sent
   * has an answer or has timed out; never rejects.
   */
  readonly stop: () => Promise<void>
}

const noop = (): void => {}

export const defaults: RedisStoreSettings = {
  prefix: "clientele",
  commandTimeout: 1_000,
  // As a process that counts for itself allows: event loops are busy at times.
  lateness: 200,
  onDown: noop,
  onUp: noop,
  onTimeout: noop,
  onSlow: noop,
  onQuick: noop
}

const MINUTE_US = 60_000_000
/** Microseconds: requests that become due within so short a time are asked for together. */
const SHORTEST_WAIT_US = 5_000
/** Bound on the tokens of one request: beyond any model, and far from where numbers lose their units. */
const MAX_TOKENS = 1e9
/** Requests to ask for at once, so that nobody else at Redis has to wait: they take it some milliseconds. */
const MAX_REQUESTS = 4_000
/**
 * Turns are taken two round trips and so many milliseconds before their time: an answer takes one, and up to another
 * half passes before the next question, so that processes take turns. The rest is for timers that are late.
 */
const ROUND_TRIPS = 2
const TIMER_MARGIN_MS = 20
/**
 * Refunds of dear estimates come late as well, so that turns may lie in the past when they are taken. Each time that
 * this costs budget, turns are taken farther ahead by a part of it, and each other time a little less far.
 */
const LEARNED_SHARE = 1 / 4
const FORGOTTEN_SHARE = 1 / 100
/** Milliseconds. Farther ahead nobody asks: what a process has taken when it dies is lost. */
const MAX_AHEAD_MS = 5_000

/** A cost as Redis can count it. */
const tokens = (cost: number): number => (cost > 0 ? Math.min(cost, MAX_TOKENS) : 0)

/** The same for a correction, which may go both ways. */
const signed = (amount: number): number => (amount < 0 ? -tokens(-amount) : tokens(amount))

/** Microseconds for one of so many a minute; 0 without a limit. A minute that begins late is that much longer. */
const each = (perMinute: number, lateness: number): number =>
  perMinute > 0 && perMinute !== Infinity ? (MINUTE_US + lateness) / perMinute : 0

/** Parses a reply of the reserving script; throws on anything else. */
export const grantOf = (reply: unknown): Grant => {
  const numbers = Array.isArray(reply) ? reply.map(Number) : []
  const [taken, wait, closed, left, idle] = numbers
  if (
    taken === undefined ||
    wait === undefined ||
    closed === undefined ||
    left === undefined ||
    numbers.some(Number.isNaN)
  ) {
    throw new Error("unexpected reply from Redis to a script of clientele")
  }
  const grant = { taken, wait: wait / 1000, closed: closed / 1000, tokensLeft: left < 0 ? Infinity : left }
  return idle === undefined
    ? grant
    : { ...grant, idle: idle / 1000, after: numbers.slice(5).map((turn) => turn / 1000) }
}

/** The arguments of the reserving script. `lateness` and `ahead` are in milliseconds. */
export const reserveArgs = (
  costs: ReadonlyArray<number>,
  rates: Rates,
  lateness: number,
  ahead = 0
): ReadonlyArray<number> => {
  const micros = lateness * 1000
  const [every, token] = [each(rates.requestsPerMinute, micros), each(rates.tokensPerMinute, micros)]
  const perMinute = token === 0 ? 0 : rates.tokensPerMinute
  const settings = [every, token, rates.burst, micros, perMinute, SHORTEST_WAIT_US, Math.round(ahead * 1000)]
  return [...settings, ...costs.slice(0, MAX_REQUESTS).map(tokens)]
}

/** Runs scripts while Redis counts. */
class Runner {
  readonly sender: Sender.ScriptSender
  readonly health: Health.RedisHealth
  readonly #client: Client

  constructor(client: Client, { commandTimeout, onDown, onTimeout, onUp, prefix }: RedisStoreSettings) {
    this.#client = client
    const sender = (this.sender = Sender.make(client, commandTimeout, onTimeout))
    this.health = Health.watch({
      client,
      probe: () => sender.run(scripts.close, `${prefix}:quota:probe`, [0]),
      patience: commandTimeout,
      onDown,
      onUp
    })
  }

  run<A>(script: scripts.Script, key: string, args: ReadonlyArray<number>, read: (reply: unknown) => A): Promise<A> {
    if (!this.health.isUp()) return Promise.reject(new Error("Redis is unavailable at the moment"))
    return this.sender
      .run(script, key, args)
      .then(read)
      .catch((error: unknown) => {
        this.health.failed(error)
        throw new Error(`Redis command failed: ${reasonOf(this.#client, error)}`)
      })
  }

  /** Runs a script and ignores its failure: `health` records it, and calls reject while Redis is down. */
  tell(script: scripts.Script, key: string, args: ReadonlyArray<number>): void {
    this.run(script, key, args, noop).catch(noop)
  }
}

interface BudgetTerms {
  /** Its key in Redis. */
  readonly key: string
  /** Milliseconds. */
  readonly lateness: number
  readonly trails: NonNullable<SharedBudget["trails"]>
}

const makeBudget = (runner: Runner, { key, lateness, trails }: BudgetTerms): SharedBudget => {
  const { roundTrip } = runner.sender
  let more = 0
  const ahead = (): number => Math.min(MAX_AHEAD_MS, ROUND_TRIPS * roundTrip.most() + TIMER_MARGIN_MS + more)
  return {
    reserve: async (costs, rates) => {
      const grant = await runner.run(scripts.reserve, key, reserveArgs(costs, rates, lateness, ahead()), grantOf)
      const isBehind = (grant.idle ?? 0) > 0 && grant.taken < costs.length && ahead() < MAX_AHEAD_MS
      if (isBehind) more += LEARNED_SHARE * Math.min(grant.idle ?? 0, roundTrip.mean())
      else more -= FORGOTTEN_SHARE * more
      return grant.taken === MAX_REQUESTS && costs.length > MAX_REQUESTS ? { ...grant, wait: 1 } : grant
    },
    ahead,
    trails,
    correct: (requests, cost, rates) => {
      const [more, moreTokens] = [
        signed(requests) * each(rates.requestsPerMinute, lateness * 1000),
        signed(cost) * each(rates.tokensPerMinute, lateness * 1000)
      ]
      if (more !== 0 || moreTokens !== 0) runner.tell(scripts.correct, key, [more, moreTokens])
    },
    close: (ms) => {
      // A gate opens by a timer.
      if (ms > 0) runner.tell(scripts.close, key, [Math.min(ms, MAX_TIMEOUT_MS) * 1000])
    }
  }
}

export const makeStore = (client: Client, settings: Partial<RedisStoreSettings> = {}): RedisStore => {
  const all = { ...defaults, ...settings }
  const { lateness, onQuick, onSlow, prefix } = all
  const runner = new Runner(client, all)
  const { health, sender } = runner
  const trailing = new Set<string>()
  const trails = (key: string, isTrailing: boolean): void => {
    const before = trailing.size
    if (isTrailing) trailing.add(key)
    else trailing.delete(key)
    if (before === 0 && trailing.size > 0) onSlow(sender.roundTrip.mean())
    else if (before > 0 && trailing.size === 0) onQuick()
  }
  return {
    budget: (credential, model) => {
      // In a cluster, what is in braces says on which node a key lives.
      const key = `${prefix}:quota:{${credential}}:${model}`
      return makeBudget(runner, { key, lateness, trails: (isTrailing) => trails(key, isTrailing) })
    },
    isAvailable: health.isUp,
    known: health.known,
    stop: () => {
      health.stop()
      return sender.stop()
    }
  }
}
