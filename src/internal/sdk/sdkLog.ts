/**
 * Logs that SDKs write of their own accord, most of them quoting a provider: without secrets, and without characters
 * that move a terminal's cursor or begin a line of their own.
 */
import { inspect } from "node:util"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { oneLine } from "../redaction/escapeControl.ts"

type Level = "error" | "warn" | "info" | "debug"

/** The `logger` that SDKs made by Stainless take. */
export type SdkLogger = Readonly<Record<Level, (message: string, ...rest: Array<unknown>) => void>>

type Scrub = (text: string) => string

const of = (tell: (level: Level) => (...said: Array<unknown>) => void): SdkLogger => ({
  error: tell("error"),
  warn: tell("warn"),
  info: tell("info"),
  debug: tell("debug")
})

/** Values other than text are written on as many lines as Node writes them, with the texts in them quoted. */
const cleaning =
  (scrub: Scrub) =>
  (said: unknown): string =>
    typeof said === "string" ? oneLine(scrub(said)) : scrub(inspect(said)).split("\n").map(oneLine).join("\n")

/** Log effect of each level. Errors are logged as debug: the failure of the call has the same information. */
const effects: Readonly<Record<Level, (line: string) => Effect.Effect<void>>> = {
  error: Effect.logDebug,
  warn: Effect.logWarning,
  info: Effect.logInfo,
  debug: Effect.logDebug
}

/** To the logger that is in force where this effect is run. */
export const toEffect = (provider: string, scrub: Scrub): Effect.Effect<SdkLogger> =>
  Effect.map(Effect.runtime(), (runtime) => {
    const clean = cleaning(scrub)
    return of((level) => (...said) => {
      const line = oneLine(`SDK: ${said.map(clean).join(" ")}`)
      Runtime.runFork(runtime)(Effect.annotateLogs(effects[level](line), { provider }))
    })
  })

/** To the console, where SDKs log by default. */
export const toConsole = (scrub: Scrub): SdkLogger => {
  const clean = cleaning(scrub)
  return of(
    (level) =>
      (...said) =>
        console[level](...said.map(clean))
  )
}
