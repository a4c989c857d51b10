/**
 * Module of `require("clientele/promise/cerebras")`: the same over the copy of the SDK that
 * `require("@cerebras/cerebras_cloud_sdk")` returns.
 */
import "../internal/install/check.cts"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import { getterOf } from "../internal/promise/getters/cerebras.ts"
import type { CerebrasOptions } from "../internal/promise/options/cerebras.ts" with { "resolution-mode": "import" }
import type { Clients } from "../Promise.ts" with { "resolution-mode": "import" }

export type { CerebrasOptions }

/** As in `./cerebras.ts`. */
export const getCerebrasClient: (options?: CerebrasOptions, clients?: Clients) => Cerebras = getterOf(() => Cerebras)
