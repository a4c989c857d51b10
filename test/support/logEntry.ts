import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"

/** All of a log entry but its message, cause and level: of annotations, and as effect's loggers write it. */
export const annotationsOf = ({ annotations }: Logger.Logger.Options<unknown>): Record<string, unknown> =>
  Object.fromEntries(HashMap.entries(annotations))

export const written = (entry: Logger.Logger.Options<unknown>): ReadonlyArray<unknown> => {
  const { annotations: _, cause: __, context: ___, ...rest } = entry
  return [Logger.logfmtLogger.log(entry), Logger.jsonLogger.log(entry), rest]
}
