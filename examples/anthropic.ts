/**
 * A provider of your own: Anthropic, for which clientele has no module. Any SDK that takes a `fetch` becomes a pooled,
 * leased client with this much code.
 *
 *     ANTHROPIC_API_KEY=... node examples/anthropic.ts "What is a lease?"
 */
import { pathToFileURL } from "node:url"
import { Anthropic } from "@anthropic-ai/sdk"
import * as ClientLayer from "clientele/ClientLayer"
import * as ClientMap from "clientele/ClientMap"
import * as Provider from "clientele/Provider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export class AnthropicClient extends Context.Tag("examples/AnthropicClient")<AnthropicClient, Anthropic>() {}

export const provider = Provider.make({
  tag: AnthropicClient,
  spec: {
    id: "anthropic",
    baseURL: "https://api.anthropic.com",
    // The SDK's own default, 10 minutes.
    timeout: "10 minutes",
    env: { apiKey: "ANTHROPIC_API_KEY", baseURL: "ANTHROPIC_BASE_URL", headers: "ANTHROPIC_CUSTOM_HEADERS" }
  },
  // `authToken` would be read from the process's environment, past the configuration.
  construct: (given) => new Anthropic({ ...given, authToken: null })
})

export const { config, get, use, stream, layer } = ClientMap.accessors(provider)

export const ask = (question: string, options?: Parameters<typeof use>[0]) =>
  Effect.map(
    use(options, (anthropic) =>
      anthropic.messages.create({
        model: "claude-sonnet-5-5",
        max_tokens: 200,
        messages: [{ role: "user", content: question }]
      })
    ),
    (message) => message.content.map((block) => (block.type === "text" ? block.text : "")).join("")
  )

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const question = process.argv[2] ?? "Say hello."
  const program = Effect.flatMap(ask(question), (answer) => Effect.sync(() => console.log(answer)))
  await Effect.runPromise(
    program.pipe(
      Effect.catchAll((error) => Effect.sync(() => console.error(error.message))),
      Effect.provide(ClientLayer.layer())
    )
  )
}
