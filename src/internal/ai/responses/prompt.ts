/** A prompt as the input of the Responses API. */
import type * as AiError from "@effect/ai/AiError"
import type * as Prompt from "@effect/ai/Prompt"
import * as Either from "effect/Either"
import { unsupportedInput } from "../errors.ts"
import type { Taken } from "../model.ts"
import { argued, each, encoded, option, toolResult } from "../parts.ts"

type Item = Readonly<Record<string, unknown>>

const file = (part: Prompt.FilePart, { key, origin }: Taken): Either.Either<Item, AiError.AiError> => {
  const { data, mediaType } = part
  const isImage = mediaType.startsWith("image/")
  if (isImage) {
    const type = mediaType === "image/*" ? "image/jpeg" : mediaType
    const image_url = data instanceof URL ? data.href : `data:${type};base64,${encoded(data)}`
    return Either.right({ type: "input_image", image_url, detail: option(part, key, "imageDetail") ?? "auto" })
  }
  if (mediaType === "application/pdf") {
    return Either.right(
      data instanceof URL
        ? { type: "input_file", file_url: data.href }
        : {
            type: "input_file",
            filename: part.fileName ?? "file.pdf",
            file_data: `data:application/pdf;base64,${encoded(data)}`
          }
    )
  }
  return Either.left(unsupportedInput(origin, `only images and PDF are accepted: '${mediaType}' in a user message`))
}

const result = (part: Prompt.ToolMessagePart): ReadonlyArray<Item> =>
  part.type !== "tool-result" || part.providerExecuted
    ? []
    : [{ type: "function_call_output", call_id: part.id, output: toolResult(part) }]

/** Parts of one item, which is named in their options, are one again. */
const assistant = ({ content }: Prompt.AssistantMessage, key: string): ReadonlyArray<Item> => {
  const items: Array<Item> = []
  const thoughts = new Map<unknown, Array<Item>>()
  for (const part of content) {
    const id = option(part, key, "itemId")
    switch (part.type) {
      case "text":
        if (part.text !== "") {
          items.push({
            ...(id !== undefined && { id }),
            role: "assistant",
            content: [{ type: "output_text", text: part.text }]
          })
        }
        break
      case "reasoning": {
        // Without its item the API has no use for it.
        if (id === undefined) break
        let summary = thoughts.get(id)
        if (summary === undefined) {
          thoughts.set(id, (summary = []))
          items.push({ type: "reasoning", id, summary, encrypted_content: option(part, key, "encryptedContent") })
        }
        if (part.text !== "") summary.push({ type: "summary_text", text: part.text })
        break
      }
      case "tool-call":
        if (!part.providerExecuted) {
          items.push({
            type: "function_call",
            call_id: part.id,
            name: part.name,
            arguments: argued(part.params)
          })
        }
        break
      case "tool-result":
        items.push(...result(part))
        break
      case "file":
        break
    }
  }
  return items
}

const user = (message: Prompt.UserMessage, taken: Taken): Either.Either<ReadonlyArray<Item>, AiError.AiError> => {
  const content = each(message.content, (part) =>
    part.type === "text" ? Either.right<Item>({ type: "input_text", text: part.text }) : file(part, taken)
  )
  return Either.map(content, (content) => [{ role: "user", content }])
}

export const input = (prompt: Prompt.Prompt, taken: Taken): Either.Either<ReadonlyArray<Item>, AiError.AiError> => {
  const all = each(prompt.content, (message): Either.Either<ReadonlyArray<Item>, AiError.AiError> => {
    switch (message.role) {
      case "system":
        return Either.right([{ role: "system", content: message.content }])
      case "user":
        return user(message, taken)
      case "assistant":
        return Either.right(assistant(message, taken.key))
      case "tool":
        return Either.right(message.content.flatMap(result))
    }
  })
  return Either.map(all, (all) => all.flat())
}
