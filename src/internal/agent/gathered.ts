/** Merges the parts of a stream into those of the whole answer, to be repeated to the model. */
import type * as Response from "@effect/ai/Response"
import { type ResponseParts } from "./transcript.ts"

interface Growing {
  readonly type: "text" | "reasoning"
  text: string
  metadata: Response.ProviderMetadata
}

/** Adds the metadata of a part's end to that of its start. */
const merged = (before: Response.ProviderMetadata, more: Response.ProviderMetadata): Response.ProviderMetadata => {
  const all = { ...before }
  for (const [provider, said] of Object.entries(more)) all[provider] = Object.assign({}, all[provider], said)
  return all
}

export class Gathered {
  private readonly all: Array<Growing | ResponseParts[number]> = []
  private readonly open = new Map<string, Growing>()

  get parts(): ResponseParts {
    return this.all as ResponseParts
  }

  add(part: Response.AnyPart): void {
    switch (part.type) {
      case "text-start":
      case "text-delta":
      case "text-end":
        return this.grow("text", part, part.type === "text-end")
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
        return this.grow("reasoning", part, part.type === "reasoning-end")
      case "tool-call":
      case "tool-result":
      case "finish":
        this.all.push(part)
    }
  }

  private grow(
    type: Growing["type"],
    part: { readonly id: string; readonly delta?: string; readonly metadata: Response.ProviderMetadata },
    isEnd: boolean
  ): void {
    const key = `${type} ${part.id}`
    let growing = this.open.get(key)
    if (growing === undefined) {
      growing = { type, text: "", metadata: {} }
      this.open.set(key, growing)
      this.all.push(growing)
    }
    growing.text += part.delta ?? ""
    growing.metadata = merged(growing.metadata, part.metadata)
    // Some begin a later part by the same name.
    if (isEnd) this.open.delete(key)
  }
}
