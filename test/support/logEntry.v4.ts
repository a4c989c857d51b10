import * as Logger from "effect/Logger"
import * as References from "effect/References"

/** All of a log entry but its message, cause and level: of annotations, and as effect's loggers write it. */
export const annotationsOf = ({ fiber }: Logger.Options<unknown>): Record<string, unknown> => ({
  ...fiber.getRef(References.CurrentLogAnnotations)
})

export const written = (entry: Logger.Options<unknown>): ReadonlyArray<unknown> => {
  const { cause: _, fiber: __, ...rest } = entry
  return [Logger.formatLogFmt.log(entry), Logger.formatJson.log(entry), rest]
}
