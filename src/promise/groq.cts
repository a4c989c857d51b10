/**
 * Module of `require("clientele/promise/groq")`: the same over the copy of the SDK that `require("groq-sdk")` returns.
 */
import "../internal/install/check.cts"
import { Groq } from "groq-sdk"
import { getterOf } from "../internal/promise/getters/groq.ts"
import type { GroqOptions } from "../internal/promise/options/groq.ts" with { "resolution-mode": "import" }
import type { Clients } from "../Promise.ts" with { "resolution-mode": "import" }

export type { GroqOptions }

/** As in `./groq.ts`. */
export const getGroqClient: (options?: GroqOptions, clients?: Clients) => Groq = getterOf(() => Groq)
