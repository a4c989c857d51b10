/** The getter over a copy of `@cerebras/cerebras_cloud_sdk`, which ships two: one for `import` and one for `require`. */
import type { Clients } from "../../../Promise.ts"
import * as providers from "../../client/bareProviders.ts"
import * as specs from "../../config/specs.ts"
import type { Kind } from "../sdkClient.ts"
import { accessor } from "../clientGetter.ts"
import * as cerebras from "../options/cerebras.ts"

export const getterOf = <A extends object>(
  sdk: () => Kind<A>["sdk"] | undefined
): ((options?: cerebras.CerebrasOptions, clients?: Clients) => A) =>
  accessor({
    sdk,
    sdkPackage: "@cerebras/cerebras_cloud_sdk",
    style: "flat",
    spec: specs.cerebras,
    provider: providers.cerebras,
    read: cerebras.read,
    rawKey: cerebras.rawKey
  })
