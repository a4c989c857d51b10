/** The events of a streamed chat completion as the parts of a response, each as soon as it is known. */
import type * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as Calls from "../calls.ts"
import * as Errors from "../errors.ts"
import { finish } from "../finish.ts"
import { streamOf } from "../partStream.ts"
import { Calling } from "./calling.ts"
import { contentOf, isSaid, metadataOf, reasoningOf, reasonOf, type ChatResponse, usageOf } from "./response.ts"

type Part = Response.StreamPartEncoded

/** State of one response, as received so far. */
class Answer {
  private readonly key: string
  private readonly calling = new Calling()
  private open: "text" | "reasoning" | undefined = undefined
  /** Id of the open text or reasoning: each has its own. */
  private id = ""
  private spans = 0
  private isBegun = false
  private refusal = ""
  private finish: string | null | undefined = undefined
  private usage: ChatResponse = {}

  constructor(key: string) {
    this.key = key
  }

  next(said: ChatResponse): Array<Part> {
    const parts: Array<Part> = []
    const choice = said.choices?.[0]
    // Azure's first event is about the prompt, and has no name yet; others never have one.
    if (!this.isBegun && (said.id !== "" || choice != null)) {
      this.isBegun = true
      parts.push(metadataOf(said))
    }
    if (said.usage != null || said.x_groq?.usage !== undefined) this.usage = said
    if (choice == null) return parts
    const { delta } = choice
    if (choice.finish_reason != null) this.finish = choice.finish_reason
    if (delta == null) return parts
    const reasoning = reasoningOf(delta)
    if (reasoning !== "") this.grow("reasoning", reasoning, parts)
    const content = contentOf(delta)
    if (content !== "") this.grow("text", content, parts)
    this.refusal += delta.refusal ?? ""
    if (delta.tool_calls == null || delta.tool_calls.length === 0) return parts
    this.close(parts)
    for (const piece of delta.tool_calls) this.calling.add(piece, parts)
    return parts
  }

  end(origin: Errors.Origin, tools: LanguageModel.ProviderOptions["tools"]): Stream.Stream<Part, AiError.AiError> {
    const parts: Array<Part> = []
    if (!this.isBegun) {
      return Stream.fail(Errors.invalidResponse(origin, "the stream has no chat completion chunk"))
    }
    this.close(parts)
    if (this.refusal !== "") {
      const id = String(this.spans++)
      const metadata = { [this.key]: { refusal: this.refusal } }
      parts.push({ type: "text-start", id, metadata }, { type: "text-end", id })
    }
    const bad: Array<Calls.Unusable> = []
    this.calling.end(parts)
    for (const call of this.calling.asked) {
      const read = Calls.read(call, tools)
      if ("part" in read) parts.push(read.part)
      else bad.push(read.bad)
    }
    const reason = this.refusal !== "" ? "content-filter" : reasonOf(this.finish, this.calling.size > 0)
    const last = finish(reason, this.finish, usageOf(this.usage))
    return bad.length === 0
      ? Stream.fromIterable([...parts, last])
      : Stream.concat(Stream.fromIterable(parts), Stream.fail(Calls.unusable(origin, [last], bad)))
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
}

export const parts = <E>(
  origin: Errors.Origin,
  key: string,
  events: Stream.Stream<unknown, E>,
  { tools }: Pick<LanguageModel.ProviderOptions, "tools">
): Stream.Stream<Part, E | AiError.AiError> =>
  Stream.suspend(() => {
    const answer = new Answer(key)
    const next = (event: unknown): Either.Either<Array<Part>, AiError.AiError> =>
      isSaid(event)
        ? Either.right(answer.next(event))
        : Either.left(Errors.invalidResponse(origin, "an event of the stream is not a chat completion chunk"))
    return streamOf(events, next, () => answer.end(origin, tools))
  })
