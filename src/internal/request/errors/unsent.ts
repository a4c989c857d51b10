/** Errors for requests rejected before dispatch. */
import { PoolError, RequestError } from "../../../ClientError.ts"
import type { Place } from "./fromSdk.ts"
import { TurnedAway } from "../../quota/turnedAway.ts"

/** Requests that can't be sent at all are rejected here, where the field at fault can still be named. */
export const unsendable = (place: Place, cause: unknown): RequestError => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new RequestError({ ...place, reason: "BadRequest", detail, processed: "no", attempts: 0, cause })
}

export const closed = (place: Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Closed",
    detail: "the client layer is closed and starts no more requests"
  })

export const released = (place: Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Released",
    detail:
      "this client was used after its scope had closed. Lease one where it is used, with `use`, or with `get` in the " +
      "scope that needs it: a lease is cheap"
  })

export const elsewhere = (place: Place, origin: string, asked: string): RequestError =>
  new RequestError({
    ...place,
    reason: "BadRequest",
    detail:
      `a request to ${asked} was not sent: this client's credential is for ${origin} alone. ` +
      `Use a client whose baseURL is at ${asked}`,
    processed: "no",
    attempts: 0
  })

/** Errors for requests that wait for a credential which the provider has just refused. */
export const refused = (reason: "QuotaExceeded" | "Authentication") => () =>
  new TurnedAway(
    reason,
    reason === "QuotaExceeded"
      ? "not sent: by the response to another request with this credential, the account's quota is used up"
      : "not sent: the provider rejected this credential in its response to another request"
  )
