import * as Logger from "effect/Logger"
import { annotationsOf } from "./logEntry.ts"

/** Warnings, with their annotations. */
export const warnings = () => {
  const lines: Array<{ readonly message: string; readonly annotations: unknown }> = []
  const logger = Logger.make((entry) => {
    if (!/^warn/i.test(entry.logLevel.label)) return
    lines.push({ message: String(entry.message), annotations: annotationsOf(entry) })
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
