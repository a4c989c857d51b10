/**
 * The `openai` SDK's own clients (6 or 7), shared and pooled, for code without Effect: `getOpenAIClient(options)` where
 * `new OpenAI(options)` was. Options that mean the same give the same client. Keep it or ask again: each request takes
 * what it needs and gives it back with its answer, so there is nothing to close.
 *
 * @example
 * ```ts
 * import { getOpenAIClient } from "clientele/promise/openai"
 *
 * export const agent = async (question: string) => {
 *   const openai = getOpenAIClient({ timeout: 30_000 })
 *   const answer = await openai.chat.completions.create({
 *     model: "gpt-5-mini",
 *     messages: [{ role: "user", content: question }]
 *   })
 *   return answer.choices[0]?.message.content
 * }
 * ```
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import { AzureOpenAI, OpenAI } from "openai"
import { azureGetterOf, getterOf } from "../internal/promise/getters/openai.ts"
import type { AzureOpenAIOptions } from "../internal/promise/options/azure.ts"
import type { OpenAIOptions } from "../internal/promise/options/openai.ts"
import type { Clients } from "../Promise.ts"

export type { AzureOpenAIOptions } from "../internal/promise/options/azure.ts"
export type { OpenAIOptions } from "../internal/promise/options/openai.ts"

/**
 * The client of these options: an `OpenAI`, at once. All options of `new OpenAI` are accepted, and those of clientele beside
 * them; docs/options.md describes each. Absent options come from the environment. Errors of requests are the SDK's own;
 * those without a class in the SDK have a `reason`. `clients` is a set of your own, from `makeClients`; by default it is
 * the process's.
 *
 * Throws an `OptionsError`, which is an `OpenAIError` too, for options that can't be used, and a `PoolError` of reason `Closed`
 * if the set is.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getOpenAIClient: (options?: OpenAIOptions, clients?: Clients) => OpenAI = getterOf(() => OpenAI)

/**
 * The same for `new AzureOpenAI`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getAzureOpenAIClient: (options?: AzureOpenAIOptions, clients?: Clients) => AzureOpenAI = azureGetterOf(
  () => AzureOpenAI
)
