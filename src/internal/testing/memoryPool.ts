/** A pool without sockets: each request gets its answer in memory, from the sandbox's engine. */
import type { Connection } from "../sandbox/exchange.ts"
import { abortedBy, whyEnded } from "../http/aborted.ts"
import type { BodyLimits } from "../util/bounds.ts"
import type { Ticker } from "../util/ticker.ts"
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { Expiring, WirePool, WireRequest, WireResponse } from "../http/types.ts"
import { Health, type HealthOptions } from "../overload/health.ts"
import { MemoryExchange } from "./memoryExchange.ts"

export interface MemoryPoolOptions
  extends BodyLimits, Pick<HealthOptions, "circuitCooldown" | "circuitFailures" | "origin"> {}

export const make = (
  handle: (exchange: MemoryExchange) => void,
  connection: Connection,
  ticker: Ticker,
  { circuitCooldown, circuitFailures, origin, ...limits }: MemoryPoolOptions
): WirePool => {
  const health = new Health({ origin, circuitCooldown, circuitFailures, ticker })
  const under = new Set<MemoryExchange>()
  let isClosed = false

  const request = async (of: WireRequest): Promise<WireResponse> => {
    const ended = isClosed ? new WireError("Closed", "no", "the pool is closed") : (whyEnded(of) ?? of.recall?.())
    const pass = ended === undefined ? (of.pass ?? health.enter(of)) : undefined
    if (pass === undefined) {
      if (of.pass !== undefined) health.drop(of.pass)
      throw ended ?? health.refusal(of)
    }
    health.sent(pass)
    const exchange = new MemoryExchange(of, of.seal?.(of.headers) ?? of.headers, connection)
    const abort = () => exchange.abort(new WireError("Aborted", "maybe", "aborted", abortedBy(of)?.reason))
    for (const signal of [of.signal, of.outer]) signal?.addEventListener("abort", abort, { once: true })
    const cancel =
      of.timeouts.headers === Infinity
        ? undefined
        : ticker.after(of.timeouts.headers, () =>
            exchange.abort(new WireError("Timeout", "maybe", `no response headers within ${of.timeouts.headers} ms`))
          )
    const { deadline } = of
    const ending: Expiring = {
      expire: () => exchange.abort(new DeadlinePassed(exchange.status === undefined ? "maybe" : "yes", deadline!.ms))
    }
    if (deadline !== undefined) deadline.underway = ending
    under.add(exchange)
    try {
      handle(exchange)
      const response = await exchange.answer
      health.answered(pass, response.status)
      response.body.onEnd(() => forget())
      return response
    } catch (error) {
      if (error instanceof WireError) health.unanswered(pass, error)
      else health.drop(pass)
      forget()
      throw error
    } finally {
      cancel?.()
    }

    function forget(): void {
      under.delete(exchange)
      if (deadline?.underway === ending) deadline.underway = undefined
      for (const signal of [of.signal, of.outer]) signal?.removeEventListener("abort", abort)
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
      health.close(new WireError("Closed", "no", "the pool is closed"))
      for (const exchange of under) exchange.abort(new WireError("Closed", "maybe", "the pool was closed"))
    }
  }
}
