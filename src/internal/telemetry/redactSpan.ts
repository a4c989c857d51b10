/**
 * Redacts failure messages from spans, which keep the kind of a failure: providers quote requests in them, and errors
 * about a model's answer quote the answer.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Span } from "effect/Tracer"
import { errorType } from "./errorType.ts"

/** Stands for a failure. */
class Untold extends Error {
  constructor(tag: string, type: string) {
    super(
      tag === type
        ? "its text is recorded with Telemetry.withContent"
        : `${type}; its text is recorded with Telemetry.withContent`
    )
    this.name = tag
    // It would be ours, and useless.
    delete this.stack
  }
}

/** A failure of which a span has its type alone. */
export const failure = (type: string): Error => new Untold(type, type)

const tagOf = (failure: unknown): string => {
  if (typeof failure === "object" && failure !== null && "_tag" in failure && typeof failure._tag === "string") {
    return failure._tag
  }
  return failure instanceof Error ? failure.name : "Failure"
}

/** Marks of AiErrors, of Effect 3 and of Effect 4. */
const AI_ERRORS = ["~@effect/ai/AiError", "~effect/ai/AiError"]

const foreign = (failure: unknown): boolean =>
  typeof failure === "object" &&
  failure !== null &&
  (AI_ERRORS.some((id) => id in failure) || tagOf(failure) === "RequestError")

const untold = (exit: Exit.Exit<unknown, unknown>, isTold: (failure: unknown) => boolean) => {
  if (Exit.isSuccess(exit)) return exit
  // Defects are mistakes of a program, which must be found.
  const failure = Cause.failureOption(exit.cause)
  if (Option.isNone(failure) || failure.value instanceof Untold || isTold(failure.value)) return exit
  return Exit.fail(new Untold(tagOf(failure.value), errorType(exit.cause)))
}

const hushed = (span: Span, isTold: (failure: unknown) => boolean): void => {
  const end = span.end.bind(span)
  span.end = (time, exit) => end(time, untold(exit, isTold))
}

/** Redacts the messages of all failures from the span. */
export const redactFailures = (span: Span): void => hushed(span, () => false)

/** Redacts the messages of failures of providers and models from the span; those of the user's own stay. */
export const quoted = (span: Span): void => hushed(span, (failure) => !foreign(failure))
