/** Sets of clients of the Promise API, as tests have them: each is closed when its test has ended. */
import OpenAI from "openai"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach } from "vitest"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import * as OpenAiClient from "../../src/OpenAiClient.ts"
import * as Sets from "../../src/internal/promise/set.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

/** Finalizers that run at the end of a test, in this order. */
export const open: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

export const sandboxOf = async (options?: Parameters<typeof Sandbox.start>[0]) => {
  const sandbox = await Sandbox.start(options)
  open.push(sandbox.close)
  return sandbox
}

export const setOf = (options?: Sets.Options) => {
  const set = Sets.make(options)
  open.unshift(set.close)
  return set
}

export const configOf = (baseURL: string, options: Partial<OpenAiClient.Options> = {}) =>
  Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make("sk-set"), baseURL, maxRetries: 0, ...options }))

export const clientOf = (set: Sets.ClientSet, config: ClientConfig<"openai">, raw?: string, sdk: object = {}) =>
  set.object("openai", raw, () => ({
    config,
    sdk: { ...sdk },
    make: () =>
      new OpenAI({
        apiKey: "sk-set",
        baseURL: config.baseURL,
        maxRetries: 0,
        fetch: set.fetchOf(OpenAiClient.provider, config)
      })
  }))

/** Looks until it is so, for half a minute at most. */
export const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  const end = Date.now() + 30_000
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error("still not so after 30 s")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
