/**
 * The service that @effect/ai makes of a provider's two functions, with a shorter way for text without tools, the most
 * common request of agents: the same span and the same answer, without schemas that are put together anew for each
 * call. Tools' spans omit their parameters.
 */
import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as Spans from "../telemetry/effectSpans.ts"
import { type Part, part } from "./decoded.ts"
import { untold } from "./tools.ts"
import { spanTransformer } from "./transformer.ts"
import type { RunWhole, WholeCall } from "./wholeCall.ts"

type Tools = Record<never, never>

type Fiber = RuntimeFiber<unknown, unknown>

type Asking = LanguageModel.GenerateTextOptions<Tools>

const quietly = <T extends Asking>(options: T): T =>
  options.toolkit === undefined ? options : { ...options, toolkit: untold(options.toolkit as never) }

const isPart = (one: Part | undefined): one is Part => one !== undefined

/** A provider's two functions, and the one that runs what it takes for a whole answer. */
export interface Provider extends LanguageModel.ConstructorParams {
  readonly whole: RunWhole
}

export const make = (provider: Provider): Effect.Effect<LanguageModel.Service> =>
  Effect.flatMap(Effect.context<never>(), (outer) => {
    const text = (options: LanguageModel.GenerateTextOptions<Tools>): Effect.Effect<Answer, AiError.AiError> =>
      Effect.withFiberRuntime((fiber) => provider.whole<Answer>(fiber, new TextCall(fiber, options, outer)))

    return Effect.map(LanguageModel.make(provider), (service) => {
      // Callers' types describe the options; these functions accept any.
      return {
        generateText: (options: Asking) =>
          options.toolkit === undefined ? text(options) : service.generateText(quietly(options)),
        generateObject: (
          options: LanguageModel.GenerateObjectOptions<Tools, unknown, Record<string, unknown>, unknown>
        ) => service.generateObject(quietly(options)),
        streamText: (options: Asking) => service.streamText(quietly(options))
      } as LanguageModel.Service
    })
  })

type Answer = LanguageModel.GenerateTextResponse<Tools>

/** A call for text without tools. What it asks, its span included, is made when its turn has come. */
class TextCall implements WholeCall<Answer> {
  readonly #fiber: Fiber
  readonly #given: LanguageModel.GenerateTextOptions<Tools>
  readonly #outer: Context.Context<never>
  readonly #time: bigint
  #asked: LanguageModel.ProviderOptions | undefined

  constructor(fiber: Fiber, given: LanguageModel.GenerateTextOptions<Tools>, outer: Context.Context<never>) {
    this.#fiber = fiber
    // Invalid prompts fail at once.
    this.#given = typeof given.prompt === "string" ? given : { ...given, prompt: Prompt.make(given.prompt) }
    this.#outer = outer
    this.#time = Spans.now(fiber)
  }

  options(): LanguageModel.ProviderOptions {
    return (this.#asked ??= this.#ask())
  }

  #ask(): LanguageModel.ProviderOptions {
    const { concurrency, prompt, toolChoice } = this.#given
    return {
      prompt: Prompt.make(prompt),
      tools: [],
      toolChoice: "none",
      responseFormat: { type: "text" },
      span: Spans.startAt(this.#fiber, this.#time, {
        name: "LanguageModel.generateText",
        kind: "internal",
        attributes: { concurrency, toolChoice }
      })
    }
  }

  respond(parts: ReadonlyArray<Response.PartEncoded>): Answer {
    const content = parts.map(part).filter(isPart)
    const transform = spanTransformer(this.#fiber.currentContext as Context.Context<never>, this.#outer)
    if (transform !== undefined) transform({ ...this.options(), response: content })
    return new LanguageModel.GenerateTextResponse<Tools>(content)
  }

  ended(exit: Exit.Exit<unknown, unknown>): void {
    Spans.end(this.#fiber, this.options().span, exit)
  }
}
