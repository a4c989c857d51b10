/** The events of a streamed response as the parts of ours, each as soon as it is known. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as Calls from "../calls.ts"
import * as Errors from "../errors.ts"
import { finish } from "../finish.ts"
import { streamOf } from "../partStream.ts"
import { callOf, isSaid, type Item, metadata, metadataOf, reasonOf, usageOf, wordOf } from "./response.ts"

type Part = Response.StreamPartEncoded

interface Event {
  readonly type: string
  readonly delta?: string
  readonly item_id?: string
  readonly item?: Item
  readonly response?: unknown
}

const isEvent = (u: unknown): u is Event =>
  typeof u === "object" && u !== null && "type" in u && typeof u.type === "string"

/** State of one response, as received so far. */
class Answer {
  private readonly origin: Errors.Origin
  private readonly key: string
  private readonly tools: LanguageModel.ProviderOptions["tools"]
  /** Items whose parts have begun and not ended. */
  private readonly open = new Map<string, "text" | "reasoning">()
  /** The ids of calls, by item. */
  private readonly calls = new Map<string, string>()
  /** Calls that are whole. */
  private readonly ended = new Set<string>()
  private hasText = false
  private readonly bad: Array<Calls.Unusable> = []
  private refusal = ""
  private last: Response.FinishPartEncoded | undefined = undefined

  constructor(origin: Errors.Origin, key: string, tools: LanguageModel.ProviderOptions["tools"]) {
    this.origin = origin
    this.key = key
    this.tools = tools
  }

  next(event: Event): Either.Either<ReadonlyArray<Part>, AiError.AiError> {
    const { delta = "", item, item_id = "", response, type } = event
    switch (type) {
      case "response.created":
        return Either.right(isSaid(response) ? [metadataOf(response)] : [])
      case "response.output_item.added":
        return Either.right(item === undefined ? [] : this.begin(item))
      case "response.output_text.delta":
        return Either.right(this.grow("text", item_id, delta))
      case "response.reasoning_summary_text.delta":
        return Either.right(this.grow("reasoning", item_id, delta))
      case "response.reasoning_summary_part.added":
        // Between the parts of one summary, as in a whole answer.
        return Either.right(this.open.has(item_id) ? this.grow("reasoning", item_id, "\n") : [])
      case "response.refusal.delta":
        this.refusal += delta
        return Either.right([])
      case "response.function_call_arguments.delta": {
        const id = this.calls.get(item_id)
        return Either.right(id === undefined ? [] : [{ type: "tool-params-delta", id, delta }])
      }
      case "response.output_item.done":
        return Either.right(item === undefined ? [] : this.finish(item))
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return this.end(response)
      default:
        // There are many, and new ones come.
        return Either.right([])
    }
  }

  /** After the last event. */
  rest(): Stream.Stream<never, AiError.AiError> {
    if (this.last === undefined) {
      return Stream.fail(Errors.invalidResponse(this.origin, "the stream ended before the response was complete"))
    }
    return this.bad.length === 0 ? Stream.empty : Stream.fail(Calls.unusable(this.origin, [this.last], this.bad))
  }

  private begin(item: Item): ReadonlyArray<Part> {
    if (item.type !== "function_call") return []
    const { id, name } = callOf(item)
    this.calls.set(item.id ?? id, id)
    return [{ type: "tool-params-start", id, name }]
  }

  private grow(what: "text" | "reasoning", id: string, delta: string): ReadonlyArray<Part> {
    if (what === "text") this.hasText = true
    const part: Part = { type: `${what}-delta`, id, delta }
    if (this.open.has(id)) return [part]
    this.open.set(id, what)
    return [{ type: `${what}-start`, id, metadata: metadata(this.key, { id }) }, part]
  }

  private finish(item: Item): ReadonlyArray<Part> {
    const what = this.open.get(item.id ?? "")
    if (what !== undefined) {
      this.open.delete(item.id ?? "")
      return [{ type: `${what}-end`, id: item.id ?? "", metadata: metadata(this.key, item) }]
    }
    if (item.type === "reasoning") {
      // Without a summary there is still what must be sent back.
      const id = item.id ?? ""
      return [
        { type: "reasoning-start", id },
        { type: "reasoning-end", id, metadata: metadata(this.key, item) }
      ]
    }
    if (item.type !== "function_call") return []
    const call = callOf(item)
    this.ended.add(call.id)
    const read = Calls.read(call, this.tools)
    const ended: Part = { type: "tool-params-end", id: call.id }
    if ("part" in read) return [ended, read.part]
    this.bad.push(read.bad)
    return [ended]
  }

  /** Parts of an item that only the last event contains: some servers that implement this API omit other events. */
  private late(item: Item): ReadonlyArray<Part> {
    if (item.type === "function_call" && !this.ended.has(callOf(item).id)) {
      const { id } = callOf(item)
      const isBegun = [...this.calls.values()].includes(id)
      return [...(isBegun ? [] : this.begin(item)), ...this.finish(item)]
    }
    if (item.type !== "message" || this.hasText) return []
    const text = (item.content ?? []).map((one) => (one.type === "output_text" ? (one.text ?? "") : "")).join("")
    return text === "" ? [] : [...this.grow("text", item.id ?? "", text), ...this.finish(item)]
  }

  private end(said: unknown): Either.Either<ReadonlyArray<Part>, AiError.AiError> {
    if (!isSaid(said)) {
      return Either.left(Errors.invalidResponse(this.origin, "the last event of the stream has no response"))
    }
    const parts = [...this.open].map(([id, what]): Part => ({ type: `${what}-end`, id }))
    this.open.clear()
    for (const item of said.output ?? []) parts.push(...this.late(item))
    const reason = reasonOf(said, this.calls.size > 0, this.refusal !== "")
    const last = (this.last = finish(reason, wordOf(said), usageOf(said)))
    if (this.refusal !== "") {
      const metadata = { [this.key]: { refusal: this.refusal } }
      parts.push({ type: "text-start", id: "refusal", metadata }, { type: "text-end", id: "refusal" })
    }
    if (this.bad.length === 0) parts.push(last)
    return Either.right(parts)
  }
}

export const parts = <E>(
  origin: Errors.Origin,
  key: string,
  events: Stream.Stream<unknown, E>,
  { tools }: Pick<LanguageModel.ProviderOptions, "tools">
): Stream.Stream<Part, E | AiError.AiError> =>
  Stream.suspend(() => {
    const answer = new Answer(origin, key, tools)
    const next = (event: unknown): Either.Either<ReadonlyArray<Part>, AiError.AiError> =>
      isEvent(event)
        ? answer.next(event)
        : Either.left(Errors.invalidResponse(origin, "an event of the stream is not a response event"))
    return streamOf(events, next, () => answer.rest())
  })
