/** A script as people write them: one request, and the end. It prints when it came to its end. */
import { writeSync } from "node:fs"
import { setDefaultCACertificates } from "node:tls"
import { input } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  readonly variant: "nothing" | "openai" | "getOpenAIClient"
  readonly baseURL: string
  readonly ca: string
}

const { baseURL, ca, variant } = input<Work>()
const apiKey = "sk-bench-0"

setDefaultCACertificates([ca])

// All load the same, so that what ends with the process is the same but for the request.
const { OpenAI } = await import("openai")
const { getOpenAIClient } = await import("clientele/promise/openai")

const variants = {
  nothing: () => undefined,
  openai: () => new OpenAI({ baseURL, apiKey }),
  getOpenAIClient: () => getOpenAIClient({ baseURL, apiKey, transport: { ca } })
}

await variants[variant]()?.chat.completions.create(question(0))

writeSync(1, String(performance.timeOrigin + performance.now()))
