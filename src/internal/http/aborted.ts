/** Detects requests aborted or expired before dispatch. */
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { CancelSource } from "../wire/cancellation.ts"
import type { WireRequest } from "./types.ts"

/** The signal by which its caller has given it up, if one has. */
export const abortedBy = ({ outer, signal }: WireRequest): CancelSource | undefined =>
  signal?.aborted === true ? signal : outer?.aborted === true ? outer : undefined

/** Error of a request that was aborted, or whose deadline has passed; `undefined` if it may be sent. */
export const whyEnded = (request: WireRequest): WireError | undefined => {
  const by = abortedBy(request)
  if (by !== undefined) return new WireError("Aborted", "no", "the request was aborted", by.reason)
  const { deadline } = request
  return deadline?.isPassed === true ? new DeadlinePassed("no", deadline.ms) : undefined
}
