/**
 * Module of `require("clientele/promise/openai")`: the same over the copy of the SDK that `require("openai")` returns.
 */
import "../internal/install/check.cts"
import { AzureOpenAI, OpenAI } from "openai"
import { azureGetterOf, getterOf } from "../internal/promise/getters/openai.ts"
import type { AzureOpenAIOptions } from "../internal/promise/options/azure.ts" with { "resolution-mode": "import" }
import type { OpenAIOptions } from "../internal/promise/options/openai.ts" with { "resolution-mode": "import" }
import type { Clients } from "../Promise.ts" with { "resolution-mode": "import" }

export type { AzureOpenAIOptions, OpenAIOptions }

/** As in `./openai.ts`. */
export const getOpenAIClient: (options?: OpenAIOptions, clients?: Clients) => OpenAI = getterOf(() => OpenAI)

/** As in `./openai.ts`. */
export const getAzureOpenAIClient: (options?: AzureOpenAIOptions, clients?: Clients) => AzureOpenAI = azureGetterOf(
  () => AzureOpenAI
)
