/** A sandbox without its sockets. */
import * as Duration from "effect/Duration"
import { Counters } from "./counters.ts"
import { SandboxEngine } from "./engine.ts"
import { FaultScript } from "./faults.ts"
import { RateLimits } from "./limits.ts"
import type { Options } from "./model.ts"

const MAX_LOG_ENTRIES = 1000

/** The options that have nothing to do with sockets. */
export type AssembleOptions = Pick<
  Options,
  "apiKeys" | "faults" | "latency" | "logSize" | "models" | "rateLimit" | "timePerToken" | "tokens"
>

const millis = (input: Duration.DurationInput | undefined): number =>
  input === undefined ? 0 : Duration.toMillis(input)

export const assemble = (options: AssembleOptions) => {
  const counters = new Counters(options.logSize ?? MAX_LOG_ENTRIES)
  const limits = new RateLimits(options.rateLimit)
  const faults = new FaultScript(options.faults ?? [])
  const engine = new SandboxEngine(
    {
      latency: millis(options.latency),
      perToken: millis(options.timePerToken),
      tokens: options.tokens ?? 16,
      models: options.models
    },
    counters,
    limits,
    faults
  )
  engine.apiKeys(options.apiKeys)
  return { counters, engine, faults, limits }
}
