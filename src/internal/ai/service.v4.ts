/**
 * The service that effect/ai makes of a provider's two functions, with a shorter way for text without tools, the most
 * common request of agents: the same span and the same answer, without schemas that are put together anew for each
 * call. Tools' spans omit their parameters.
 */
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import { ResponseIdTracker } from "effect/ai/ResponseIdTracker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Spans from "../telemetry/effectSpans.ts"
import { type Part, part } from "./decoded.ts"
import { codecTransformer } from "./jsonSchemas.ts"
import { untold } from "./tools.ts"
import { spanTransformer } from "./transformer.ts"
import type { RunWhole, WholeCall } from "./wholeCall.ts"

type Params = Parameters<typeof LanguageModel.make>[0]

/** A provider's two functions, and the one that runs what it takes for a whole answer. */
export interface Provider extends Params {
  readonly whole: RunWhole
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

type Asking = LanguageModel.GenerateTextOptions<never>

const quietly = <T extends Asking>(options: T): T =>
  options.toolkit === undefined ? options : { ...options, toolkit: untold(options.toolkit as never) }

const isPart = (one: Part | undefined): one is Part => one !== undefined

/** True if calls of tools may wait for an answer of a person, which effect/ai reports without tools. */
const asksApproval = ({ content }: Prompt.Prompt): boolean =>
  content.some(
    (message) => message.role === "assistant" && message.content.some(({ type }) => type === "tool-approval-request")
  )

type Answer = LanguageModel.GenerateTextResponse<Record<never, never>>

/** A call for text without tools. What it asks, its span included, is made when its turn has come. */
class TextCall implements WholeCall<Answer> {
  readonly #fiber: AnyFiber
  readonly #given: Asking
  readonly #outer: Context.Context<never>
  readonly #time: bigint
  #asked: LanguageModel.ProviderOptions | undefined

  constructor(fiber: AnyFiber, given: Asking, outer: Context.Context<never>) {
    this.#fiber = fiber
    this.#given = given
    this.#outer = outer
    this.#time = Spans.now(fiber)
  }

  options(): LanguageModel.ProviderOptions {
    return (this.#asked ??= this.#ask())
  }

  #ask(): LanguageModel.ProviderOptions {
    const { concurrency = "unbounded", prompt, toolChoice = "auto" } = this.#given
    return {
      prompt: Prompt.make(prompt),
      tools: [],
      toolChoice: "none",
      responseFormat: { type: "text" },
      span: Spans.startAt(this.#fiber, this.#time, {
        name: "LanguageModel.generateText",
        kind: "client",
        attributes: {
          "gen_ai.output.type": "text",
          "effect.ai.tool_choice": typeof toolChoice === "string" ? toolChoice : JSON.stringify(toolChoice),
          "effect.ai.concurrency": concurrency
        }
      }),
      previousResponseId: undefined,
      incrementalPrompt: undefined
    }
  }

  respond(parts: ReadonlyArray<Response.PartEncoded>): Answer {
    const content = parts.map(part).filter(isPart)
    const transform = spanTransformer(this.#fiber.context, this.#outer)
    if (transform !== undefined) transform({ ...this.options(), response: content })
    return new LanguageModel.GenerateTextResponse<Record<never, never>>(content)
  }

  ended(exit: Exit.Exit<unknown, unknown>): void {
    Spans.end(this.#fiber, this.options().span, exit)
  }
}

/**
 * The options with their prompt made, unless it is a text: invalid ones fail at once. `undefined` for those that take the
 * long way.
 */
const shortly = (options: Asking, context: Context.Context<never>): Asking | undefined => {
  if (options.toolkit !== undefined || Option.isSome(Context.getOption(context, ResponseIdTracker))) return undefined
  if (typeof options.prompt === "string") return options
  const prompt = Prompt.make(options.prompt)
  return asksApproval(prompt) ? undefined : { ...options, prompt }
}

export const make = (provider: Provider): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.contextWith((outer: Context.Context<never>) =>
    Effect.map(LanguageModel.make({ ...provider, codecTransformer }), (service) => {
      const { generateObject, generateText, streamText } = service as unknown as Readonly<
        Record<"generateObject" | "generateText", (options: Asking) => Effect.Effect<unknown, unknown>> &
          Record<"streamText", (options: Asking) => unknown>
      >
      // Callers' types describe the options; these functions accept any.
      return {
        ...service,
        generateText: (options: Asking) =>
          Effect.withFiber((fiber): Effect.Effect<unknown, unknown> => {
            const asked = shortly(options, fiber.context)
            return asked === undefined
              ? generateText(quietly(options))
              : provider.whole<Answer>(fiber, new TextCall(fiber, asked, outer))
          }),
        generateObject: (options: Asking) => generateObject(quietly(options)),
        streamText: (options: Asking) => streamText(quietly(options))
      } as LanguageModel.LanguageModel
    })
  )
