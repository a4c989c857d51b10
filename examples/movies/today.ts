/** The way it is mostly done today: each agent makes a client of its own, with the defaults of its SDK. */
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { Groq } from "groq-sdk"
import { OpenAI } from "openai"
import type { Agent } from "./agent.ts"
import { answer, type Completion, type Question, question } from "./chat.ts"
import type { Setup } from "./setups.ts"

export class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {
  /** SDKs say "Connection error." and keep what happened in causes of causes. */
  override get message(): string {
    let error = this.cause
    while (error instanceof Error && error.cause instanceof Error) error = error.cause
    return error instanceof Error ? error.message : String(error)
  }
}

export const make =
  (setup: Setup, onClient: () => void): Agent<RequestFailed> =>
  (prompt) =>
    Effect.tryPromise({
      try: (signal) => {
        onClient()
        return ask(setup, question(setup.job, prompt), signal)
      },
      catch: (cause) => new RequestFailed({ cause })
    }).pipe(Effect.map((completion) => answer(setup.job, completion)))

const ask = (setup: Setup, body: Question, signal: AbortSignal): Promise<Completion> => {
  const { apiKey, baseURL, headers: defaultHeaders, timeout } = setup
  const options = { apiKey, baseURL, defaultHeaders, timeout }
  switch (setup.job.provider) {
    case "openai":
      return new OpenAI(options).chat.completions.create(body, { signal })
    case "groq":
      return new Groq(options).chat.completions.create(body, { signal })
    case "cerebras":
      return new Cerebras(options).chat.completions.create(body, { signal })
  }
}
