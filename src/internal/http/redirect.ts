/**
 * Redirects, followed within one origin only: the headers of an LLM request are credentials, and the pool below is of
 * one origin.
 */
import { DeadlinePassed, WireError } from "../wire/errors.ts"
import type { RequestBody } from "../wire/request.ts"
import type { WireResponse } from "./types.ts"
import { readTarget, type PreparedRequest, type Target } from "./prepare.ts"

/** Parts of an exchange, beside its headers, that a redirect can change. */
export interface Hop extends Target {
  readonly method: string
  readonly body: RequestBody
}

const maxHops = 5

const refuse = (message: string, cause?: unknown): never => {
  throw new WireError("Malformed", "yes", message, cause)
}

const locate = (location: string, hop: Hop): Target => {
  const url = URL.parse(location, hop.url) ?? refuse(`${hop.origin} redirects to an address that can't be parsed`)
  try {
    return readTarget(url)
  } catch (cause) {
    return refuse(`${hop.origin} redirects to an address that can't be fetched`, cause)
  }
}

/** The headers for a hop that a redirect turned into a GET. */
export const withoutBody = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("content-")))

const isRedirect = (status: number) =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/**
 * The hop to which `wire` redirects, `undefined` if it is the final response. Throws a WireError for a redirect that
 * must not be followed.
 */
export const redirection = (wire: WireResponse, exchange: PreparedRequest, hop: Hop, hops: number): Hop | undefined => {
  const { status } = wire
  if (!isRedirect(status) || exchange.redirect === "manual") return undefined
  const location = wire.headers.find(([name]) => name === "location")?.[1]
  if (location === undefined) return undefined
  if (exchange.redirect === "error")
    return refuse(`${hop.origin} responded with a redirect, which the request forbids (redirect: "error")`)
  const target = locate(location, hop)
  if (target.origin !== hop.origin) {
    throw new WireError(
      "Refused",
      "yes",
      `${hop.origin} redirects to ${target.origin}, which was not followed: credentials are not sent to another ` +
        `origin. If ${target.origin} is right, set baseURL to it`
    )
  }
  if (hops >= maxHops) return refuse(`${hop.origin} redirected ${maxHops + 1} times for one request`)
  // As WHATWG fetch does it: "see other" reads the result, and browsers made 301 and 302 mean the same for POST.
  const turnsToGet =
    status === 303 ? hop.method !== "GET" && hop.method !== "HEAD" : status < 303 && hop.method === "POST"
  if (turnsToGet) return { ...target, method: "GET", body: undefined }
  if (hop.body !== undefined && !exchange.replayable) {
    return refuse(`${hop.origin} redirects a streamed upload, which can't be sent twice`)
  }
  return { ...target, method: hop.method, body: hop.body }
}

/**
 * Marks the failure of a hop that only fetches the result of the request. The request was processed before that hop,
 * and would be again by a retry from the start, so a "no" of the hop becomes "maybe".
 */
export const afterWork = (error: unknown): unknown => {
  if (!(error instanceof WireError) || error.processed !== "no") return error
  if (error instanceof DeadlinePassed) return new DeadlinePassed("maybe", error.ms, error.isTelling)
  return new WireError(error.reason, "maybe", error.message, error)
}
