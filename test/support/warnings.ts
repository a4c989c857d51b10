import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"

/** Warnings, with their annotations. */
export const warnings = () => {
  const lines: Array<{ readonly message: string; readonly annotations: unknown }> = []
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    if (logLevel._tag !== "Warning") return
    lines.push({ message: String(message), annotations: Object.fromEntries(HashMap.entries(annotations)) })
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
