/**
 * Logs of the Promise API: warnings as Node's own, on stderr, each once; the rest only with `NODE_DEBUG=clientele`.
 */
import { debuglog } from "node:util"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { warn } from "../util/processWarning.ts"

/** A line on stderr with `NODE_DEBUG=clientele`. */
export const debug = debuglog("clientele")

/** Effect's own logger writes to stdout, which holds the output of a script without Effect. */
export const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map(String)
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  for (const [name, value] of annotations) words.push(`${name}=${String(value)}`)
  const text = words.join(" ")
  if (LogLevel.isGreaterThanOrEqualTo(logLevel, "Warn")) warn(text)
  else debug(text)
})
