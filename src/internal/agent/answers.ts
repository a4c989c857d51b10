/** Outcomes of the tool calls of a round. */
import * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Concurrency } from "effect/Types"
import type { AnyToolkit, Emit, Round } from "./round.ts"
import type { Outcome } from "./transcript.ts"

interface Handling {
  readonly concurrency?: Concurrency | undefined
  readonly onToolFailure?: "return" | "fail" | undefined
}

type Asked = Pick<Round["calls"][number], "id" | "name">

const outcome = ({ id, name }: Asked, isFailure: boolean, result: unknown, encodedResult: unknown): Outcome =>
  Response.makePart("tool-result", { id, name, isFailure, result, encodedResult, providerExecuted: false } as never)

/** As JSON can have it. */
const said = (error: unknown): unknown => {
  if (error instanceof Error) return error.message
  return typeof error === "object" || typeof error === "string" ? error : String(error)
}

const failed = (call: Asked, why: unknown): Outcome => outcome(call, true, why, said(why))

const handle = (
  call: Round["calls"][number],
  { handle, tools }: AnyToolkit,
  onToolFailure: Handling["onToolFailure"]
): Effect.Effect<Outcome, unknown, unknown> => {
  const { name, params } = call
  const tool = tools[name]
  if (tool === undefined) return Effect.succeed(failed(call, `unknown tool '${name}'`))
  const known = Schema.decodeUnknown(tool.parametersSchema as Schema.Schema<unknown>, { errors: "all" })(params)
  const run = Effect.map(handle(name, params as never), ({ encodedResult, isFailure, result }) =>
    outcome(call, isFailure, result, encodedResult)
  )
  return Effect.matchEffect(known, {
    onFailure: (error) => Effect.succeed(failed(call, `invalid parameters: ${error.message}`)),
    onSuccess: () =>
      onToolFailure === "fail" ? run : Effect.catchAll(run, (error: unknown) => Effect.succeed(failed(call, error)))
  })
}

/**
 * Runs the tools of a round. Outcomes are in the order of the calls, unusable calls last; `emit` receives each as soon
 * as it is known.
 */
export const answer = (
  { bad, calls }: Round,
  toolkit: AnyToolkit,
  { concurrency = "unbounded", onToolFailure }: Handling,
  emit: Emit
): Effect.Effect<ReadonlyArray<Outcome>, unknown, unknown> => {
  const told = bad.map((call) => failed(call, call.why))
  const run = Effect.forEach(calls, (call) => Effect.tap(handle(call, toolkit, onToolFailure), (one) => emit([one])), {
    concurrency
  })
  return Effect.zipRight(
    emit(told),
    Effect.map(run, (outcomes) => [...outcomes, ...told])
  )
}
