/** The getters over a copy of the `openai` SDK, which ships two: one for `import` and one for `require`. */
import * as AzureOpenAiClient from "../../../AzureOpenAiClient.ts"
import * as OpenAiClient from "../../../OpenAiClient.ts"
import type { Clients } from "../../../Promise.ts"
import * as specs from "../../config/specs.ts"
import type { Kind } from "../client.ts"
import { accessor } from "../door.ts"
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
    provider: OpenAiClient.provider,
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
    provider: AzureOpenAiClient.provider,
    read: azure.read,
    rawKey: azure.rawKey
  })
