/** Outcomes of the tool calls of a round. */
import * as Effect from "effect/Effect"
import type { Concurrency } from "effect/Types"
import type { Emit, Round } from "./round.ts"
import type { AnyToolkit, RunContext, ToolCalled, ToolOutcome } from "./toolCall.ts"
import { outcomeOf, paramsOf, runTool, wordsOf } from "./toolRun.ts"

interface Handling {
  readonly concurrency?: Concurrency | undefined
  readonly onToolFailure?: "return" | "fail" | undefined
  /** The conversation before the round. */
  readonly messages: RunContext["messages"]
}

/** As JSON can have it. */
const said = (error: unknown): unknown => {
  if (error instanceof Error) return wordsOf(error)
  return typeof error === "object" || typeof error === "string" ? error : String(error)
}

const failed = (call: Pick<ToolCalled, "id" | "name">, why: unknown): ToolOutcome =>
  outcomeOf(call, { isFailure: true, result: why, encodedResult: said(why) })

const handle = (
  call: ToolCalled,
  context: RunContext,
  onToolFailure: Handling["onToolFailure"]
): Effect.Effect<ToolOutcome, unknown, unknown> => {
  const tool = context.toolkit.tools[call.name]
  if (tool === undefined) return Effect.succeed(failed(call, `unknown tool '${call.name}'`))
  return Effect.matchEffect(paramsOf(tool, call.params), {
    onFailure: (error) => Effect.succeed(failed(call, `invalid parameters: ${error.message}`)),
    onSuccess: (params) => {
      const run = Effect.map(runTool({ ...call, params }, context), (run) => outcomeOf(call, run))
      return onToolFailure === "fail"
        ? run
        : Effect.catchAll(run, (error: unknown) => Effect.succeed(failed(call, error)))
    }
  })
}

/**
 * Runs the tools of a round. Outcomes are in the order of the calls, unusable calls last; `emit` receives each as soon
 * as it is known.
 */
export const answer = (
  { bad, calls }: Round,
  toolkit: AnyToolkit,
  { concurrency = "unbounded", messages, onToolFailure }: Handling,
  emit: Emit
): Effect.Effect<ReadonlyArray<ToolOutcome>, unknown, unknown> => {
  const told = bad.map((call) => failed(call, call.why))
  const context: RunContext = { toolkit, messages, emit: (one) => emit([one]) }
  const run = Effect.forEach(calls, (call) => Effect.tap(handle(call, context, onToolFailure), context.emit), {
    concurrency
  })
  return Effect.zipRight(
    emit(told),
    Effect.map(run, (outcomes) => [...outcomes, ...told])
  )
}
