/** A call for a whole answer, of which little is made before its turn has come. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import type { Effect } from "effect/Effect"
import type { Exit } from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"

export interface WholeCall<A> {
  /** Called when it is written, or has ended: the same each time. */
  options(): LanguageModel.ProviderOptions
  /** Called with the provider's answer. */
  respond(parts: Array<Response.PartEncoded>): A
  /** Called once, at last. */
  ended(exit: Exit<A, AiError.AiError>): void
}

/** Runs a call as the fiber that asks for it. */
export type RunWhole = <A>(fiber: RuntimeFiber<unknown, unknown>, call: WholeCall<A>) => Effect<A, AiError.AiError>
