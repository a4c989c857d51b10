/**
 * An answer that is written to the terminal as it comes. Ctrl-C ends it, and aborts the request.
 *
 *     OPENAI_API_KEY=... node examples/terminal.ts "Tell me of leases"
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ClientLayer from "clientele/ClientLayer"
import * as OpenAiModel from "clientele/OpenAiModel"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const write = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(text))

const main = LanguageModel.streamText({ prompt: process.argv[2] ?? "Tell me of leases." }).pipe(
  Stream.runForEach((part) => {
    switch (part.type) {
      case "text-delta":
        return write(part.delta)
      case "finish":
        return write(`\n\n${part.usage.totalTokens ?? 0} tokens, ${part.reason}\n`)
      default:
        return Effect.void
    }
  }),
  Effect.provide(OpenAiModel.model(process.env["MODEL"] ?? "gpt-5-mini")),
  Effect.provide(ClientLayer.layer())
)

NodeRuntime.runMain(main)
