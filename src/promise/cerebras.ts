/**
 * The Cerebras SDK's own clients, shared and pooled, for code without Effect: `getCerebrasClient(options)` where
 * `new Cerebras(options)` was. Options that mean the same give the same client. Keep it or ask again: each request takes
 * what it needs and gives it back with its answer, so there is nothing to close.
 *
 * @example
 * ```ts
 * import { getCerebrasClient } from "clientele/promise/cerebras"
 *
 * export const agent = async (question: string) => {
 *   const cerebras = getCerebrasClient({ timeout: 30_000 })
 *   return await cerebras.chat.completions.create({
 *     model: "llama3.1-8b",
 *     messages: [{ role: "user", content: question }]
 *   })
 * }
 * ```
 *
 * @since 0.1.0
 */
import "../internal/needs-effect-3/run-npm-install-effect@3.ts"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { getterOf } from "../internal/promise/getters/cerebras.ts"
import type { CerebrasOptions } from "../internal/promise/options/cerebras.ts"
import type { Clients } from "../Promise.ts"

export type { CerebrasOptions } from "../internal/promise/options/cerebras.ts"

/**
 * The client of these options: a `Cerebras`, at once. All options of `new Cerebras` are accepted, and those of clientele
 * beside them; docs/options.md describes each. Absent options come from the environment. Errors of requests are the SDK's own;
 * those without a class in the SDK have a `reason`. `clients` is a set of your own, from `makeClients`; by default it is
 * the process's.
 *
 * Throws an `OptionsError`, which is a `CerebrasError` too, for options that can't be used, and a `PoolError` of reason `Closed`
 * if the set is.
 *
 * @since 0.1.0
 * @category accessors
 */
export const getCerebrasClient: (options?: CerebrasOptions, clients?: Clients) => Cerebras = getterOf(() => Cerebras)
