/**
 * Calls of tools that come in pieces. Servers identify the call of a piece in many ways: by index; by id alone; by an
 * index that is the same for all of them and an id that is not (Gemini's); with an id that is empty in all pieces but
 * the first (DashScope's), and a name that is empty in the first (vLLM's, of some models).
 */
import type * as Response from "@effect/ai/Response"
import type { Asked } from "../calls.ts"
import { argumentsOf, type ToolCall } from "./said.ts"

interface Growing extends Asked {
  readonly id: string
  /** True if the server sent the id. */
  readonly isNamed: boolean
  name: string
  text: string
  /** Argument text not emitted yet, since the name is unknown. */
  untold: string
  isBegun: boolean
}

const orAbsent = (text: string | null | undefined): string | undefined =>
  text === null || text === "" ? undefined : text

export class Calling {
  private readonly all: Array<Growing> = []
  private readonly byIndex = new Map<number, Growing>()

  get size(): number {
    return this.all.length
  }

  /** In the order in which they began. */
  get asked(): ReadonlyArray<Asked> {
    return this.all.map(({ id, name, text }) => ({ id, name, text }))
  }

  add(piece: ToolCall, parts: Array<Response.StreamPartEncoded>): void {
    const call = this.of(piece)
    if (call.name === "") call.name = piece.function?.name ?? ""
    const text = argumentsOf(piece)
    call.text += text
    call.untold += text
    if (call.name !== "") this.tell(call, parts)
  }

  end(parts: Array<Response.StreamPartEncoded>): void {
    for (const call of this.all) {
      this.tell(call, parts)
      parts.push({ type: "tool-params-end", id: call.id })
    }
  }

  private tell(call: Growing, parts: Array<Response.StreamPartEncoded>): void {
    const { id, name, untold: delta } = call
    if (!call.isBegun) parts.push({ type: "tool-params-start", id, name })
    if (delta !== "") parts.push({ type: "tool-params-delta", id, delta })
    call.isBegun = true
    call.untold = ""
  }

  private of({ id: said, index }: ToolCall): Growing {
    const id = orAbsent(said)
    const known = this.find(id, index)
    if (known !== undefined) return known
    const isNamed = id !== undefined
    const call = { id: id ?? `call_${this.size}`, isNamed, name: "", text: "", untold: "", isBegun: false }
    this.all.push(call)
    if (index !== undefined) this.byIndex.set(index, call)
    return call
  }

  private find(id: string | undefined, index: number | undefined): Growing | undefined {
    if (index === undefined) return id === undefined ? this.all.at(-1) : this.all.findLast((call) => call.id === id)
    const at = this.byIndex.get(index)
    return at === undefined || id === undefined || !at.isNamed || at.id === id ? at : undefined
  }
}
