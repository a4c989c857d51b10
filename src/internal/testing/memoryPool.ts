/** A pool without sockets: each request gets its answer in memory, from the sandbox's engine. */
import type { ServedConnection } from "../sandbox/exchange.ts"
import { abortedBy, whyEnded } from "../http/aborted.ts"
import type { BodyLimits } from "../util/bounds.ts"
import type { Ticker } from "../util/ticker.ts"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { Expiring, WirePool, WireRequest, WireResponse } from "../http/types.ts"
import { Health, type HealthOptions } from "../overload/health.ts"
import type { Pass } from "../overload/lane.ts"
import { MemoryExchange } from "./memoryExchange.ts"

export interface MemoryPoolOptions
  extends BodyLimits, Pick<HealthOptions, "circuitCooldown" | "circuitFailures" | "origin"> {}

const closedError = (): WireError => new WireError("Closed", "no", "the pool is closed")

/** Throws for a request that is not to be sent. */
const admit = (health: Health, of: WireRequest, isClosed: boolean): Pass => {
  const ended = isClosed ? closedError() : (whyEnded(of) ?? of.recall?.())
  const pass = ended === undefined ? (of.pass ?? health.enter(of)) : undefined
  if (pass !== undefined) return pass
  if (of.pass !== undefined) health.drop(of.pass)
  throw ended ?? health.refusal(of)
}

/** Aborts the exchange when the request is aborted, expires or waits too long; the result ends the watch. */
const watch = (
  exchange: MemoryExchange,
  of: WireRequest,
  ticker: Ticker
): { readonly onHead: () => void; readonly onEnd: () => void } => {
  const { deadline, timeouts } = of
  const signals = [of.signal, of.outer]
  const aborting = {
    handleEvent: () => exchange.abort(new WireError("Aborted", "maybe", "aborted", abortedBy(of)?.reason))
  }
  for (const signal of signals) signal?.addEventListener("abort", aborting)
  const late = () =>
    exchange.abort(new WireError("Timeout", "maybe", `no response headers within ${timeouts.headers} ms`))
  const cancel = timeouts.headers === Infinity ? undefined : ticker.after(timeouts.headers, late)
  const ending: Expiring = {
    expire: () => exchange.abort(new DeadlinePassed(exchange.status === undefined ? "maybe" : "yes", deadline!.ms))
  }
  if (deadline !== undefined) deadline.underway = ending
  return {
    onHead: () => cancel?.(),
    onEnd: () => {
      if (deadline?.underway === ending) deadline.underway = undefined
      for (const signal of signals) signal?.removeEventListener("abort", aborting)
    }
  }
}

export const make = (
  handle: (exchange: MemoryExchange) => void,
  connection: ServedConnection,
  ticker: Ticker,
  { circuitCooldown, circuitFailures, origin, ...limits }: MemoryPoolOptions
): WirePool => {
  const health = new Health({ origin, circuitCooldown, circuitFailures, ticker })
  const under = new Set<MemoryExchange>()
  let isClosed = false

  const request = async (of: WireRequest): Promise<WireResponse> => {
    const pass = admit(health, of, isClosed)
    health.sent(pass)
    const exchange = new MemoryExchange(of, of.seal?.(of.headers) ?? of.headers, connection)
    const { onEnd, onHead } = watch(exchange, of, ticker)
    const forget = (): void => {
      under.delete(exchange)
      onEnd()
    }
    under.add(exchange)
    try {
      handle(exchange)
      const response = await exchange.answer
      health.answered(pass, response.status)
      response.body.onEnd(forget)
      return response
    } catch (error) {
      if (error instanceof WireError) health.unanswered(pass, error)
      else health.drop(pass)
      forget()
      throw error
    } finally {
      onHead()
    }
  }

  return {
    limits,
    protocol: undefined,
    health,
    request,
    stats: () => ({
      sockets: 0,
      inFlight: under.size,
      queued: 0,
      opened: 0,
      openCircuits: health.open(),
      protocol: undefined
    }),
    close: async () => {
      isClosed = true
      health.close(closedError())
      for (const exchange of under) exchange.abort(new WireError("Closed", "maybe", "the pool was closed"))
    }
  }
}
