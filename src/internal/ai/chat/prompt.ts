/** A prompt as the messages of `chat.completions`. */
import type * as AiError from "@effect/ai/AiError"
import type * as Prompt from "@effect/ai/Prompt"
import * as Either from "effect/Either"
import { unsupportedInput } from "../errors.ts"
import type { Taken } from "../model.ts"
import { argued, each, encoded, option, toolResult } from "../parts.ts"

type Content = Readonly<Record<string, unknown>>

export interface Message {
  readonly role: string
  readonly content: string | null | ReadonlyArray<Content>
  readonly reasoning?: string
  readonly tool_calls?: ReadonlyArray<unknown>
  readonly tool_call_id?: string
}

/** Audio that `chat.completions` takes, by its media type. */
const sounds: Readonly<Record<string, string>> = { "audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3" }

const file = (part: Prompt.FilePart, { files, key, origin }: Taken): Either.Either<Content, AiError.AiError> => {
  const { data, mediaType } = part
  const refuse = (why: string) => Either.left(unsupportedInput(origin, `${why}: '${mediaType}' in a user message`))
  if (mediaType.startsWith("image/")) {
    if (files === "inline images" && data instanceof URL)
      return refuse("this provider accepts images only inline, not by URL")
    const type = mediaType === "image/*" ? "image/jpeg" : mediaType
    const url = data instanceof URL ? data.href : `data:${type};base64,${encoded(data)}`
    const detail = option(part, key, "imageDetail")
    return Either.right({ type: "image_url", image_url: { url, ...(detail !== undefined && { detail }) } })
  }
  if (files !== "all") return refuse("this provider accepts only text and images")
  if (data instanceof URL) return refuse("only images may be given by URL")
  const format = sounds[mediaType]
  if (format !== undefined) return Either.right({ type: "input_audio", input_audio: { data: encoded(data), format } })
  if (mediaType === "application/pdf") {
    const filename = part.fileName ?? "file.pdf"
    return Either.right({
      type: "file",
      file: { filename, file_data: `data:application/pdf;base64,${encoded(data)}` }
    })
  }
  return refuse("only images, WAV, MP3 and PDF are accepted")
}

const user = (message: Prompt.UserMessage, taken: Taken): Either.Either<Message, AiError.AiError> => {
  const [first, ...others] = message.content
  if (first === undefined || (first.type === "text" && others.length === 0)) {
    return Either.right({ role: "user", content: first?.text ?? "" })
  }
  const content = each(message.content, (part) =>
    part.type === "text" ? Either.right<Content>({ type: "text", text: part.text }) : file(part, taken)
  )
  return Either.map(content, (content) => ({ role: "user", content }))
}

const answers = (parts: ReadonlyArray<Prompt.AssistantMessagePart | Prompt.ToolMessagePart>): ReadonlyArray<Message> =>
  parts.flatMap((part) =>
    part.type === "tool-result" && !part.providerExecuted
      ? [{ role: "tool", tool_call_id: part.id, content: toolResult(part) }]
      : []
  )

const assistant = ({ content }: Prompt.AssistantMessage, isThoughtTold: boolean): ReadonlyArray<Message> => {
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("")
  const calls = content.flatMap((part) =>
    part.type === "tool-call" && !part.providerExecuted
      ? [{ id: part.id, type: "function", function: { name: part.name, arguments: argued(part.params) } }]
      : []
  )
  if (calls.length === 0 && text === "") return answers(content)
  const thought = isThoughtTold
    ? content.flatMap((part) => (part.type === "reasoning" ? [part.text] : [])).join("")
    : ""
  const said = {
    role: "assistant",
    content: text === "" ? null : text,
    ...(thought !== "" && { reasoning: thought })
  }
  return [calls.length === 0 ? said : { ...said, tool_calls: calls }, ...answers(content)]
}

export const messages = (
  prompt: Prompt.Prompt,
  taken: Taken
): Either.Either<ReadonlyArray<Message>, AiError.AiError> => {
  // Reasoning before the last user message is left out; later reasoning, between tool calls, is sent back.
  const question = taken.reasoning ? prompt.content.findLastIndex(({ role }) => role === "user") : Infinity
  const all = each(prompt.content, (message, i): Either.Either<ReadonlyArray<Message>, AiError.AiError> => {
    switch (message.role) {
      case "system":
        return Either.right([{ role: "system", content: message.content }])
      case "user":
        return Either.map(user(message, taken), (one) => [one])
      case "assistant":
        return Either.right(assistant(message, i > question))
      case "tool":
        return Either.right(answers(message.content))
    }
  })
  return Either.map(all, (all) => all.flat())
}
