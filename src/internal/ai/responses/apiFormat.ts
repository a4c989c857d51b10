/** The API format of OpenAI's Responses API. */
import * as Either from "effect/Either"
import type { BodyFields, Speech } from "../model.ts"
import { shape } from "../schemas.ts"
import type { Settings } from "../settings.ts"
import * as Answer from "./answer.ts"
import * as Prompt from "./prompt.ts"
import * as Events from "./stream.ts"
import * as Tools from "./tools.ts"

/** It has no seed, no stops and no penalties. */
const fieldsOf = (settings: Settings): BodyFields => ({
  temperature: settings.temperature,
  top_p: settings.topP,
  max_output_tokens: settings.maxTokens,
  parallel_tool_calls: settings.parallelToolCalls,
  ...(settings.reasoningEffort !== undefined && { reasoning: { effort: settings.reasoningEffort } })
})

export const speech: Speech = {
  road: "responses",
  streamed: { stream: true },
  fields: (options, settings, taken) =>
    Either.flatMap(
      shape(taken.origin, options, () => Tools.fields(options, taken.strict)),
      (shape) =>
        Either.map(Prompt.input(options.prompt, taken), (input) => ({ input, ...shape, ...fieldsOf(settings) }))
    ),
  parts: Answer.parts,
  stream: Events.parts
}
