/** The transformer of spans that an app gives @effect/ai, for ways of ours that pass its own by. */
import { CurrentSpanTransformer, type SpanTransformer } from "@effect/ai/Telemetry"
import * as Context from "effect/Context"
import * as Option from "effect/Option"

/** That of the call, else the one in whose context the model was made. */
export const spanTransformer = (
  call: Context.Context<never>,
  model: Context.Context<never>
): SpanTransformer | undefined =>
  Option.getOrUndefined(
    Option.orElse(Context.getOption(call, CurrentSpanTransformer), () =>
      Context.getOption(model, CurrentSpanTransformer)
    )
  )
