/** An app of ES modules that knows nothing of the pool: `register.ts ORIGIN`, run with `--import clientele/register`. */
import CerebrasDefault, { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import GroqDefault, { Groq } from "groq-sdk"
import OpenAIDefault, { APIError, AzureOpenAI, OpenAI, toFile } from "openai"
import { OpenAI as OpenAI6 } from "openai6"
import { look, say } from "./registered.ts"

const [origin = ""] = process.argv.slice(2)
const apiKey = "sk-child"
const v1 = { apiKey, baseURL: `${origin}/v1` }
const azure = { apiKey, endpoint: origin, apiVersion: "2024-10-21" }

class Mine extends OpenAI {
  readonly mine = "mine"
}
const mine = new Mine(v1)
const unheard = Object.assign({ ...v1 }, { unheard: "of" })
const own = new OpenAI({ ...v1, fetch: () => Promise.resolve(new Response("{}")) })

say({
  openai: await look(OpenAI, v1),
  openai6: await look(OpenAI6, v1),
  azure: await look(AzureOpenAI, azure),
  groq: await look(Groq, { apiKey, baseURL: origin }),
  cerebras: await look(Cerebras, { apiKey, baseURL: origin }),
  defaults: [OpenAIDefault === OpenAI, GroqDefault === Groq, CerebrasDefault === Cerebras],
  statics: [OpenAI.OpenAI === OpenAI, OpenAI.APIError === APIError, OpenAI.toFile === toFile, OpenAI.name],
  versions: new OpenAI(v1) instanceof OpenAI6,
  subclass: [mine.mine, mine instanceof Mine, mine instanceof OpenAI, mine.constructor === Mine],
  own: [own instanceof OpenAI, own === new OpenAI({ ...v1 })],
  // The SDK itself takes these silently.
  refused: [1, 2].map(() => new OpenAI(unheard) instanceof OpenAI),
  options: new OpenAI(v1).withOptions({ timeout: 1 }).timeout
})
