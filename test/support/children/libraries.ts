/**
 * Agents of libraries that make clients for themselves, in a process of its own: `libraries.ts BASE_URL COUNT MODE...`.
 * Each agent has a model of its own, as in apps that make one for each row of data.
 */
import { createOpenAI } from "@ai-sdk/openai"
import { ChatOpenAI } from "@langchain/openai"
import { generateText } from "ai"
import { getFetch, stats } from "../../../src/Promise.ts"

const [baseURL = "", count = "1", ...modes] = process.argv.slice(2)

const apiKey = "sk-child"
const model = "test-model"

const langchain = async (configuration: { baseURL: string; fetch?: typeof globalThis.fetch }): Promise<string> =>
  (await new ChatOpenAI({ model, apiKey, configuration }).invoke("hello")).text

const vercel = async (api: "chat" | "responses"): Promise<string> => {
  const openai = createOpenAI({ baseURL, apiKey, fetch: getFetch({ baseURL, apiKey }) })
  return (await generateText({ model: openai[api](model), prompt: "hello", maxRetries: 0 })).text
}

const agents: Record<string, (i: number) => Promise<string>> = {
  langchain: () => langchain({ baseURL }),
  langchainFetch: () => langchain({ baseURL, fetch: getFetch({ baseURL, apiKey }) }),
  vercel: (i) => vercel(i % 2 === 0 ? "chat" : "responses")
}

for (const mode of modes) {
  const answers = await Promise.all(Array.from({ length: Number(count) }, (_, i) => agents[mode]!(i)))
  process.stdout.write(`${mode} ${answers.filter((text) => text !== "").length}\n`)
}
const { built } = await stats()
process.stdout.write(`built ${built}\n`)
