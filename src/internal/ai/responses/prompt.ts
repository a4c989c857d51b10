/** A prompt as the input of the Responses API. */
import * as AiError from "@effect/ai/AiError"
import type * as Prompt from "@effect/ai/Prompt"
import * as Effect from "effect/Effect"
import type { Taken } from "../model.ts"
import { encoded, option, told } from "../parts.ts"

type Item = Readonly<Record<string, unknown>>

const file = (part: Prompt.FilePart, { images, key, origin }: Taken): Effect.Effect<Item, AiError.MalformedInput> => {
  const { data, mediaType } = part
  const isImage = mediaType.startsWith("image/")
  if (isImage && images) {
    const type = mediaType === "image/*" ? "image/jpeg" : mediaType
    const image_url = data instanceof URL ? data.href : `data:${type};base64,${encoded(data)}`
    return Effect.succeed({ type: "input_image", image_url, detail: option(part, key, "imageDetail") ?? "auto" })
  }
  if (mediaType === "application/pdf") {
    return Effect.succeed(
      data instanceof URL
        ? { type: "input_file", file_url: data.href }
        : {
            type: "input_file",
            filename: part.fileName ?? "file.pdf",
            file_data: `data:application/pdf;base64,${encoded(data)}`
          }
    )
  }
  return new AiError.MalformedInput({
    ...origin,
    description: `images and PDF are taken, and nothing else: '${mediaType}' in a message of the user`
  })
}

const result = (part: Prompt.ToolResultPart): ReadonlyArray<Item> =>
  part.providerExecuted ? [] : [{ type: "function_call_output", call_id: part.id, output: told(part.result) }]

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
            arguments: JSON.stringify(part.params ?? {})
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

const user = (message: Prompt.UserMessage, taken: Taken): Effect.Effect<ReadonlyArray<Item>, AiError.MalformedInput> =>
  Effect.map(
    Effect.forEach(message.content, (part) =>
      part.type === "text" ? Effect.succeed<Item>({ type: "input_text", text: part.text }) : file(part, taken)
    ),
    (content) => [{ role: "user", content }]
  )

export const input = (
  prompt: Prompt.Prompt,
  taken: Taken
): Effect.Effect<ReadonlyArray<Item>, AiError.MalformedInput> =>
  Effect.map(
    Effect.forEach(prompt.content, (message): Effect.Effect<ReadonlyArray<Item>, AiError.MalformedInput> => {
      switch (message.role) {
        case "system":
          return Effect.succeed([{ role: "system", content: message.content }])
        case "user":
          return user(message, taken)
        case "assistant":
          return Effect.succeed(assistant(message, taken.key))
        case "tool":
          return Effect.succeed(message.content.flatMap(result))
      }
    }),
    (all) => all.flat()
  )
