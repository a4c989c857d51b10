/**
 * A router: short questions go to a quick model, long ones to a thorough one, and who fails has another stand in.
 *
 *     GROQ_API_KEY=... OPENAI_API_KEY=... node examples/router.ts "What is a lease?"
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Agent from "clientele/Agent"
import * as ClientLayer from "clientele/ClientLayer"
import * as GroqModel from "clientele/GroqModel"
import * as OpenAiModel from "clientele/OpenAiModel"
import * as Effect from "effect/Effect"

const answer = (question: string) => Effect.map(LanguageModel.generateText({ prompt: question }), ({ text }) => text)

const quick = Agent.make({
  name: "quick",
  run: (question: string) => Effect.provide(answer(question), GroqModel.model("llama-3.1-8b-instant"))
})

const thorough = Agent.make({
  name: "thorough",
  run: (question: string) => Effect.provide(answer(question), OpenAiModel.model("gpt-5"))
})

const route = Agent.make({
  name: "route",
  run: (question: string) => {
    const [first, second] = question.length < 100 ? [quick, thorough] : [thorough, quick]
    return Effect.orElse(
      Effect.tap(first(question), () => Effect.sync(() => console.log(`answered by ${first.agentName}`))),
      () => Effect.tap(second(question), () => Effect.sync(() => console.log(`${second.agentName} stood in`)))
    )
  }
})

const main = Effect.flatMap(route(process.argv[2] ?? "What is a lease?"), (text) =>
  Effect.sync(() => console.log(text))
)

await Effect.runPromise(main.pipe(Effect.provide(ClientLayer.layer())))
