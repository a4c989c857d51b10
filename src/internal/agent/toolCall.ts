/** A call of a tool in a loop, before it is run. */
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import type * as Effect from "effect/Effect"

export type AnyToolkit = Toolkit.WithHandler<Record<string, Tool.Any>>

/** Result of a tool call. */
export type ToolOutcome = Response.ToolResultPart<string, unknown, unknown>

export interface ToolCalled {
  readonly id: string
  readonly name: string
  readonly params: unknown
}

/** The place of a call: its tools, and the messages before it. */
export interface RunContext {
  readonly toolkit: AnyToolkit
  readonly messages: Prompt.Prompt["content"]
  /** Receives results that a tool gives before its last. */
  readonly emit: (outcome: ToolOutcome) => Effect.Effect<unknown>
}
