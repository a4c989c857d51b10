/** The getters over a copy of the `openai` SDK, which ships two: one for `import` and one for `require`. */
import type { Clients } from "../../../Promise.ts"
import * as providers from "../../client/bareProviders.ts"
import * as specs from "../../config/specs.ts"
import type { Kind } from "../sdkClient.ts"
import { accessor } from "../clientGetter.ts"
import * as azure from "../options/azure.ts"
import * as openai from "../options/openai.ts"

export const getterOf = <A extends object>(
  sdk: () => Kind<A>["sdk"] | undefined
): ((options?: openai.OpenAIOptions, clients?: Clients) => A) =>
  accessor({
    sdk,
    sdkPackage: "openai",
    style: "nested",
    spec: specs.openai,
    provider: providers.openai,
    read: openai.read,
    rawKey: openai.rawKey
  })

export const azureGetterOf = <A extends object>(
  sdk: () => Kind<A>["sdk"] | undefined
): ((options?: azure.AzureOpenAIOptions, clients?: Clients) => A) =>
  accessor({
    sdk,
    sdkPackage: "openai",
    style: "nested",
    spec: specs.azure,
    provider: providers.azure,
    read: azure.read,
    rawKey: azure.rawKey
  })
