/**
 * The agent of `clientele run --agent`, the clientele way: it holds no client, and leases one for each question. Rows take
 * turns over twelve configurations.
 */
import type { Call } from "clientele/Batch"
import * as CerebrasClient from "clientele/CerebrasClient"
import type { ClientError } from "clientele/ClientError"
import type { ClientMap } from "clientele/ClientMap"
import * as GroqClient from "clientele/GroqClient"
import * as OpenAiClient from "clientele/OpenAiClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { answer, type Completion, type Movie, question } from "./chat.ts"
import { type Setup, setupOf } from "./setups.ts"

export const version = "1"

export default (movie: Movie, { index, report }: Call) => {
  const setup = setupOf(index)
  return Effect.map(ask(setup, question(setup.model, movie)), (completion) => {
    report(completion)
    return answer(completion)
  })
}

const ask = (
  { provider, ...setup }: Setup,
  body: ReturnType<typeof question>
): Effect.Effect<Completion, ClientError, ClientMap> => {
  const { baseURL, headers, timeout } = setup
  const options = { apiKey: Redacted.make(setup.apiKey), baseURL, headers, timeout }
  switch (provider) {
    case "openai":
      return OpenAiClient.use(options, (openai) => openai.chat.completions.create(body))
    case "groq":
      return GroqClient.use(options, (groq) => groq.chat.completions.create(body))
    case "cerebras":
      return CerebrasClient.use(options, (cerebras) => cerebras.chat.completions.create(body))
  }
}
