/** The same as `register.ts` in CommonJS. */
const cerebras = require("@cerebras/cerebras_cloud_sdk")
const groq = require("groq-sdk")
const openai = require("openai")
const openai6 = require("openai6")
const { look, say } = require("./registered.ts")

const [origin = ""] = process.argv.slice(2)
const apiKey = "sk-child"
const v1 = { apiKey, baseURL: `${origin}/v1` }

class Mine extends openai.OpenAI {
  mine = "mine"
}

const main = async () => {
  const mine = new Mine(v1)
  // The module itself stands for its class in CommonJS.
  say({
    openai: await look(openai.OpenAI, v1),
    itself: await look(openai, v1),
    openai6: await look(openai6.OpenAI, v1),
    azure: await look(openai.AzureOpenAI, { apiKey, endpoint: origin, apiVersion: "2024-10-21" }),
    groq: await look(groq.Groq, { apiKey, baseURL: origin }),
    cerebras: await look(cerebras.Cerebras, { apiKey, baseURL: origin }),
    defaults: [
      openai.default === openai.OpenAI,
      groq.default === groq.Groq,
      cerebras.default === cerebras.Cerebras,
      cerebras === cerebras.Cerebras
    ],
    statics: [openai.OpenAI.OpenAI === openai.OpenAI, openai.OpenAI.APIError === openai.APIError],
    subclass: [mine.mine, mine instanceof Mine, mine instanceof openai.OpenAI, mine.constructor === Mine]
  })
}

void main()
