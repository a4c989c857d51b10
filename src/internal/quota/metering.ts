/**
 * Meters an answer while somebody else reads it: what it says that it cost is settled at its end. One that does not say
 * costs its prompt, as estimated, and what of it has come; and who generates far more than was taken pays meanwhile, so
 * that no long stream overdraws the budget by minutes.
 */
import type { TokenCost } from "./tokenEstimate.ts"
import type { Permit } from "./permit.ts"
import { type Count, makeMeter } from "./tokenUsage.ts"

/** Tokens beyond what was taken after which a stream pays, and between two payments: a few in the longest answers. */
const STEP_TOKENS = 64
/** The part of what has come that is paid at once: the longer a stream, the rarer. */
const STEP_SHARE = 1 / 8

export interface Metering {
  readonly tap: (bytes: Uint8Array, dataLines: number) => void
  readonly onTapped: () => void
}

/** `tell` hears all that the answer says. */
export const metering = (
  permit: Permit,
  cost: TokenCost | undefined,
  tell: (count: Count | undefined) => void
): Metering => {
  const meter = makeMeter()
  const prompt = cost === undefined ? permit.tokens : Math.ceil(cost.prompt)
  let next = Math.max(0, permit.tokens - prompt) + STEP_TOKENS
  return {
    tap: (bytes, events) => {
      meter.chunk(bytes, events)
      if (events < next) return
      permit.charge(prompt + events)
      next = events + Math.max(STEP_TOKENS, events * STEP_SHARE)
    },
    onTapped: () => {
      const count = meter.count()
      // A request that generates nothing costs its prompt, whatever the length of the response.
      const received = count === undefined && cost?.output !== 0 ? meter.received() : undefined
      if (count !== undefined) permit.settle(count.total, count.output)
      else if (received !== undefined) permit.settle(prompt + received, received)
      tell(count)
    }
  }
}
