/** The parts of an answer without tools, decoded by hand: by a schema it would cost more than its request. */
import * as Response from "effect/ai/Response"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Usage from "./usage.ts"

/** Parts of a response without tools. */
export type Part = Exclude<Response.Part<Record<never, never>>, { readonly type: "tool-call" | "tool-result" }>

/** `undefined` for what we never make. */
export const part = (encoded: Response.PartEncoded): Part | undefined => {
  switch (encoded.type) {
    case "text":
      return Response.makePart("text", encoded)
    case "reasoning":
      return Response.makePart("reasoning", encoded)
    case "response-metadata":
      return Response.makePart("response-metadata", {
        id: encoded.id,
        modelId: encoded.modelId,
        timestamp: encoded.timestamp === undefined ? undefined : Option.getOrUndefined(DateTime.make(encoded.timestamp))
      })
    case "finish":
      return Response.makePart("finish", { reason: encoded.reason, usage: Usage.decoded(encoded.usage) })
    default:
      return undefined
  }
}
