/**
 * Call sites of streamed responses. A stream that is dropped before its end gives its connection and its place in the
 * budget back only when it is collected, which may take long: a warning then names the call site.
 */
import { watchAbandoned } from "../http/streamedResponse.ts"
import { warn } from "../util/processWarning.ts"

/** Under this name it travels in the `init` of a request's fetch, which SDKs hand on as it is. */
export const SITE: unique symbol = Symbol.for("clientele/site")

/** Its stack becomes text only when it is read. */
export interface Site {
  readonly stack?: string | undefined
}

/** So many callers are kept: the SDK's own come first. */
const depth = 10

/**
 * To be called in the same turn as the user's call, where the user's code is still on the stack; `above` is the innermost
 * function that is none of the user's business. About 4 us, so for streams alone.
 */
export const here = (above: (...args: never) => unknown): Site => {
  const site: Site = {}
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = depth
  Error.captureStackTrace(site, above)
  Error.stackTraceLimit = before
  return site
}

export const siteOf = (init: object | undefined): Site | undefined =>
  (init as { readonly [SITE]?: Site } | undefined)?.[SITE]

/** The first caller that is in no package, or else all of them. */
const placeOf = ({ stack = "" }: Site): string => {
  const callers = stack.split("\n").filter((line) => /^\s+at /.test(line))
  const user = callers.find((line) => !/[\\/]node_modules[\\/]|\bnode:|\bat (?:async )?<anonymous>$/.test(line))
  return user === undefined ? `\n${callers.join("\n")}` : user.trim()
}

export const watch = (response: Response, site: Site, baseURL: string): void =>
  watchAbandoned(response, () =>
    warn(
      `a streamed response from ${baseURL} was dropped before its end, and held its connection until it was collected. ` +
        `Read it to its end, or abort it. It was requested ${placeOf(site)}`
    )
  )
