/** The getter over a copy of `groq-sdk`, which ships two: one for `import` and one for `require`. */
import type { Clients } from "../../../Promise.ts"
import * as providers from "../../client/bareProviders.ts"
import * as specs from "../../config/specs.ts"
import type { Kind } from "../sdkClient.ts"
import { accessor } from "../clientGetter.ts"
import * as groq from "../options/groq.ts"

export const getterOf = <A extends object>(
  sdk: () => Kind<A>["sdk"] | undefined
): ((options?: groq.GroqOptions, clients?: Clients) => A) =>
  accessor({
    sdk,
    sdkPackage: "groq-sdk",
    style: "nested",
    spec: specs.groq,
    provider: providers.groq,
    read: groq.read,
    rawKey: groq.rawKey
  })
