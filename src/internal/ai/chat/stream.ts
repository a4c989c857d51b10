/** The events of a streamed chat completion as the parts of a response, each as soon as it is known. */
import * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Calls from "../calls.ts"
import type { Origin } from "../errors.ts"
import { isSaid, metadataOf, reasoningOf, reasonOf, type Said, type ToolCall, usageOf } from "./said.ts"

type Part = Response.StreamPartEncoded

interface Growing {
  readonly id: string
  name: string
  text: string
}

/** What has come so far of one answer. */
class Answer {
  private readonly key: string
  private readonly calls = new Map<number, Growing>()
  private open: "text" | "reasoning" | undefined = undefined
  /** Of the text or reasoning that is open: each has its own. */
  private id = ""
  private spans = 0
  private isBegun = false
  private refusal = ""
  private finish: string | null | undefined = undefined
  private usage: Said = {}

  constructor(key: string) {
    this.key = key
  }

  next(said: Said): Array<Part> {
    const parts: Array<Part> = []
    // Azure's first event is about the prompt, and has no name yet.
    if (!this.isBegun && said.id !== "") {
      this.isBegun = true
      parts.push(metadataOf(said))
    }
    if (said.usage != null || said.x_groq?.usage !== undefined) this.usage = said
    const choice = said.choices?.[0]
    if (choice == null) return parts
    const { delta } = choice
    if (choice.finish_reason != null) this.finish = choice.finish_reason
    if (delta == null) return parts
    const reasoning = reasoningOf(delta)
    if (reasoning !== "") this.grow("reasoning", reasoning, parts)
    if (typeof delta.content === "string" && delta.content !== "") this.grow("text", delta.content, parts)
    this.refusal += delta.refusal ?? ""
    for (const call of delta.tool_calls ?? []) this.call(call, parts)
    return parts
  }

  end(origin: Origin, tools: LanguageModel.ProviderOptions["tools"]): Stream.Stream<Part, AiError.AiError> {
    const parts: Array<Part> = []
    if (!this.isBegun) {
      const description = "the stream has no chat completion in it"
      return Stream.fail(new AiError.MalformedOutput({ ...origin, description }))
    }
    this.close(parts)
    if (this.refusal !== "") {
      const id = String(this.spans++)
      const metadata = { [this.key]: { refusal: this.refusal } }
      parts.push({ type: "text-start", id, metadata }, { type: "text-end", id })
    }
    const bad: Array<Calls.Unusable> = []
    for (const call of this.calls.values()) {
      parts.push({ type: "tool-params-end", id: call.id })
      const read = Calls.read(call, tools)
      if ("part" in read) parts.push(read.part)
      else bad.push({ ...call, why: read.why })
    }
    const reason = this.refusal !== "" ? "content-filter" : reasonOf(this.finish, this.calls.size > 0)
    const finish = { type: "finish" as const, reason, usage: usageOf(this.usage) }
    return bad.length === 0
      ? Stream.fromIterable([...parts, finish])
      : Stream.concat(Stream.fromIterable(parts), Stream.fail(Calls.unusable(origin, [finish], bad)))
  }

  private close(parts: Array<Part>): void {
    if (this.open === undefined) return
    parts.push({ type: `${this.open}-end`, id: this.id })
    this.open = undefined
  }

  private grow(what: "text" | "reasoning", delta: string, parts: Array<Part>): void {
    if (this.open !== what) {
      this.close(parts)
      this.open = what
      this.id = String(this.spans++)
      parts.push({ type: `${what}-start`, id: this.id })
    }
    parts.push({ type: `${what}-delta`, id: this.id, delta })
  }

  private call({ function: said, id, index }: ToolCall, parts: Array<Part>): void {
    // Some servers give no index, and an id to what begins.
    const at = index ?? (id == null ? this.calls.size - 1 : this.calls.size)
    let call = this.calls.get(at)
    if (call === undefined) {
      this.close(parts)
      call = { id: id ?? `call_${at}`, name: said?.name ?? "", text: "" }
      this.calls.set(at, call)
      parts.push({ type: "tool-params-start", id: call.id, name: call.name })
    }
    const delta = said?.arguments
    if (typeof delta !== "string" || delta === "") return
    call.text += delta
    parts.push({ type: "tool-params-delta", id: call.id, delta })
  }
}

export const parts = <E>(
  origin: Origin,
  key: string,
  events: Stream.Stream<unknown, E>,
  { tools }: Pick<LanguageModel.ProviderOptions, "tools">
): Stream.Stream<Part, E | AiError.AiError> =>
  Stream.suspend(() => {
    const answer = new Answer(key)
    const next = (event: unknown): Effect.Effect<Chunk.Chunk<Part>, AiError.AiError> =>
      isSaid(event)
        ? Effect.succeed(Chunk.unsafeFromArray(answer.next(event)))
        : new AiError.MalformedOutput({ ...origin, description: "an event of the stream is no chat completion" })
    return Stream.concat(
      Stream.flattenChunks(Stream.mapEffect(events, next)),
      Stream.suspend(() => answer.end(origin, tools))
    )
  })
