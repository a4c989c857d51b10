/** The API format of `chat.completions`. */
import * as Either from "effect/Either"
import type { BodyFields, Speech } from "../model.ts"
import type { Settings } from "../settings.ts"
import * as Answer from "./answer.ts"
import * as Prompt from "./prompt.ts"
import * as Events from "./stream.ts"
import * as Tools from "./tools.ts"
import { shape } from "../schemas.ts"

const fieldsOf = (settings: Settings): BodyFields => ({
  temperature: settings.temperature,
  top_p: settings.topP,
  max_completion_tokens: settings.maxTokens,
  seed: settings.seed,
  stop: settings.stop,
  frequency_penalty: settings.frequencyPenalty,
  presence_penalty: settings.presencePenalty,
  reasoning_effort: settings.reasoningEffort,
  parallel_tool_calls: settings.parallelToolCalls
})

export const speech: Speech = {
  road: "chat",
  streamed: { stream: true, stream_options: { include_usage: true } },
  fields: (options, settings, taken) =>
    Either.flatMap(
      shape(taken.origin, options, () => Tools.fields(options, taken.strict)),
      (shape) =>
        Either.map(Prompt.messages(options.prompt, taken), (messages) => ({
          messages,
          ...shape,
          ...fieldsOf(settings)
        }))
    ),
  parts: Answer.parts,
  stream: Events.parts
}
