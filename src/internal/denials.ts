/** What a request is told that is not sent, and why. */
import { PoolError, RequestError } from "../ClientError.ts"
import type { Place } from "./failure.ts"
import { TurnedAway } from "./quota/turnedAway.ts"

/** What can't be sent at all is refused here, where its field can still be named. */
export const unsendable = (place: Place, cause: unknown): RequestError => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new RequestError({ ...place, reason: "BadRequest", detail, processed: "no", attempts: 0, cause })
}

export const closed = (place: Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Closed",
    detail: "the client layer has been closed, so no request can be started any more"
  })

export const released = (place: Place): PoolError =>
  new PoolError({
    ...place,
    reason: "Released",
    detail:
      "this client was kept after its scope had closed, and its connections are gone. Take it where it is used, " +
      "with `use`, or with `get` inside the scope that needs it; a lease is cheap"
  })

export const elsewhere = (place: Place, origin: string, asked: string): RequestError =>
  new RequestError({
    ...place,
    reason: "BadRequest",
    detail:
      `a request to ${asked} was refused: this client's credential is for ${origin} alone. ` +
      "Ask for a client with that baseURL instead",
    processed: "no",
    attempts: 0
  })

/** What a refusal of the whole credential tells those who wait for it. */
export const refused = (reason: "QuotaExceeded" | "Authentication") => () =>
  new TurnedAway(
    reason,
    reason === "QuotaExceeded"
      ? "the provider told another request of this credential that the account's quota is used up; this one was not sent"
      : "the provider refused the credential of another request; this one was not sent"
  )
