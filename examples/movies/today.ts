/** The way it is mostly done today: each agent makes a client of its own, with the defaults of its SDK. */
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import type { Call } from "clientele/Batch"
import { Groq } from "groq-sdk"
import { OpenAI } from "openai"
import { answer, type Completion, type Movie, question } from "./chat.ts"
import { type Setup, setupOf } from "./setups.ts"

export const version = "1"

export default async (movie: Movie, { index, report, signal }: Call & { readonly signal: AbortSignal }) => {
  const setup = setupOf(index)
  try {
    const completion = await ask(setup, question(setup.model, movie), signal)
    report(completion)
    return answer(completion)
  } catch (error) {
    throw deepest(error)
  }
}

/** SDKs say "Connection error." and keep what happened in causes of causes. */
const deepest = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? deepest(error.cause) : error

const ask = (
  { provider, ...setup }: Setup,
  body: ReturnType<typeof question>,
  signal: AbortSignal
): Promise<Completion> => {
  const { apiKey, baseURL, headers: defaultHeaders, timeout } = setup
  const options = { apiKey, baseURL, defaultHeaders, timeout }
  switch (provider) {
    case "openai":
      return new OpenAI(options).chat.completions.create(body, { signal })
    case "groq":
      return new Groq(options).chat.completions.create(body, { signal })
    case "cerebras":
      return new Cerebras(options).chat.completions.create(body, { signal })
  }
}
