/** The previous major of the openai SDK, as a provider of a user's own. */
import * as Context from "effect/Context"
import { OpenAI } from "openai6"
import * as ClientMap from "../../src/ClientMap.ts"
import * as Provider from "../../src/Provider.ts"
import { subject } from "./providers.ts"

class OpenAi6 extends Context.Tag("test/OpenAi6")<OpenAi6, OpenAI>() {}

const accessors = ClientMap.accessors(
  Provider.make({
    tag: OpenAi6,
    spec: { id: "openai6", env: { apiKey: "OPENAI6_API_KEY", baseURL: "OPENAI6_BASE_URL" } },
    construct: (given) => new OpenAI(given)
  })
)

export const openai6 = subject("openai6", accessors, (sandbox, key) => [
  ["OPENAI6_API_KEY", key],
  ["OPENAI6_BASE_URL", sandbox.baseURL("openai")]
])
