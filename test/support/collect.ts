/** Everything that a program says to the outside, as one text: to look for what must not be in it. */
import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { annotationsOf, written } from "./logEntry.ts"
import { tracerOf } from "./tracer.ts"

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ""
  } catch (error) {
    return `no JSON: ${String(error)}`
  }
}

/** All ways to print a value. */
export const print = (value: unknown): string =>
  [
    inspect(value, { depth: 10, showHidden: true, maxArrayLength: null, maxStringLength: null }),
    inspect(value, { depth: 10, getters: true }),
    json(value),
    json(Inspectable.toJSON(value)),
    Inspectable.toStringUnknown(value),
    typeof value === "object" && value !== null ? safely(() => String(value)) : String(value)
  ].join("\n")

const safely = (f: () => string): string => {
  try {
    return f()
  } catch (error) {
    return String(error)
  }
}

const printError = (error: unknown): string => {
  const all: Array<string> = []
  for (let one = error, depth = 0; one !== undefined && depth < 10; depth++) {
    all.push(print(one))
    if (!(one instanceof Error)) break
    all.push(one.message, one.stack ?? "", String(one))
    one = one.cause
  }
  return all.join("\n")
}

export const printCause = (cause: Cause.Cause<unknown>): string =>
  [
    Cause.pretty(cause),
    Cause.pretty(cause, { renderErrorCause: true }),
    print(cause),
    ...[...Cause.failures(cause), ...Cause.defects(cause)].map(printError)
  ].join("\n")

export class Collector {
  readonly texts: Array<string> = []

  add(...values: ReadonlyArray<unknown>): void {
    for (const value of values) this.texts.push(typeof value === "string" ? value : print(value))
  }

  get text(): string {
    return this.texts.join("\n")
  }

  /** Logs of all levels, and spans with what is in them. */
  readonly layer: Layer.Layer<never> = Layer.mergeAll(
    Logger.replace(
      Logger.defaultLogger,
      Logger.make((entry) => {
        this.add(...written(entry), Object.entries(annotationsOf(entry)))
        this.add(printCause(entry.cause))
      })
    ),
    Logger.minimumLogLevel(LogLevel.All),
    Layer.setTracer(
      tracerOf(({ attributes, name }) => {
        this.add(name)
        return {
          attribute: (key, value) => this.add(key, value),
          event: (event, of) => this.add(event, of),
          end: (exit) => {
            this.add([...attributes])
            if (Exit.isFailure(exit)) this.add(printCause(exit.cause))
          }
        }
      })
    )
  )

  /** Adds all that is written to the console meanwhile. */
  readonly console = Effect.acquireRelease(
    Effect.sync(() => {
      const undo = (["log", "info", "warn", "error", "debug", "trace", "dir"] as const).map((name) => {
        const original = console[name]
        console[name] = (...args: ReadonlyArray<unknown>) => this.add(...args)
        return () => {
          console[name] = original
        }
      })
      for (const stream of [process.stdout, process.stderr]) {
        const original = stream.write
        stream.write = (chunk: unknown) => {
          this.add(String(chunk))
          return true
        }
        undo.push(() => {
          stream.write = original
        })
      }
      return undo
    }),
    (undo) => Effect.sync(() => undo.forEach((one) => one()))
  )
}
