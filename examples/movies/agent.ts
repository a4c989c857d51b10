/** An agent the clientele way: it holds no client, and leases one for each question. */
import * as AzureOpenAiClient from "clientele/AzureOpenAiClient"
import * as CerebrasClient from "clientele/CerebrasClient"
import type { CommonOptions } from "clientele/ClientConfig"
import type { ClientError, OptionsError } from "clientele/ClientError"
import type { ClientMap } from "clientele/ClientMap"
import * as GroqClient from "clientele/GroqClient"
import * as OpenAiClient from "clientele/OpenAiClient"
import * as Effect from "effect/Effect"
import { type Answer, answer, type Completion, type Job, type Question, question } from "./chat.ts"

/** From a row's prompt to the model's answer. */
export type Agent<E, R = never> = (prompt: string) => Effect.Effect<Answer, E, R>

export const make = (job: Job, options?: CommonOptions): Effect.Effect<Agent<ClientError, ClientMap>, OptionsError> =>
  Effect.map(
    asking(job, options),
    (ask) => (prompt) => Effect.map(ask(question(job, prompt)), (completion) => answer(job, completion))
  )

type Ask = (question: Question) => Effect.Effect<Completion, ClientError, ClientMap>

/** Options are looked at once, here. `use` then finds the client that the config means, or builds it. */
const asking = ({ provider }: Job, options?: CommonOptions): Effect.Effect<Ask, OptionsError> => {
  switch (provider) {
    case "openai":
      return Effect.map(
        OpenAiClient.config(options),
        (config) => (question) => OpenAiClient.use(config, (openai) => openai.chat.completions.create(question))
      )
    case "azure":
      return Effect.map(
        AzureOpenAiClient.config(options),
        (config) => (question) => AzureOpenAiClient.use(config, (azure) => azure.chat.completions.create(question))
      )
    case "groq":
      return Effect.map(
        GroqClient.config(options),
        (config) => (question) => GroqClient.use(config, (groq) => groq.chat.completions.create(question))
      )
    case "cerebras":
      return Effect.map(
        CerebrasClient.config(options),
        (config) => (question) => CerebrasClient.use(config, (cerebras) => cerebras.chat.completions.create(question))
      )
  }
}
