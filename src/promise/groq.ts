/**
 * The `groq-sdk`'s own clients, shared and pooled, for code without Effect: `getGroqClient(options)` where
 * `new Groq(options)` was. Options that mean the same give the same client. Keep it or ask again: each request takes
 * what it needs and gives it back with its answer, so there is nothing to close.
 *
 * @example
 * ```ts
 * import { getGroqClient } from "clientele/promise/groq"
 *
 * export const agent = async (question: string) => {
 *   const groq = getGroqClient({ timeout: 30_000 })
 *   return await groq.chat.completions.create({
 *     model: "llama-3.3-70b-versatile",
 *     messages: [{ role: "user", content: question }]
 *   })
 * }
 * ```
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import { Groq } from "groq-sdk"
import { getterOf } from "../internal/promise/getters/groq.ts"
import type { GroqOptions } from "../internal/promise/options/groq.ts"
import type { Clients } from "../Promise.ts"

export type { GroqOptions } from "../internal/promise/options/groq.ts"

/**
 * The client of these options: a `Groq`, at once. All options of `new Groq` are accepted, and those of clientele beside
 * them; docs/options.md describes each. Absent options come from the environment. Errors of requests are the SDK's own;
 * those without a class in the SDK have a `reason`. `clients` is a set of your own, from `makeClients`; by default it is
 * the process's.
 *
 * Throws an `OptionsError`, which is a `GroqError` too, for options that can't be used, and a `PoolError` of reason `Closed`
 * if the set is.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getGroqClient: (options?: GroqOptions, clients?: Clients) => Groq = getterOf(() => Groq)
