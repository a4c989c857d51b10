/** The clients of classes that are trapped, each class, of each copy and version of an SDK, by itself. */
import * as Context from "effect/Context"
import type { Spec } from "../../../ClientConfig.ts"
import { OptionsError } from "../../../ClientError.ts"
import { make } from "../../../Provider.ts"
import * as specs from "../../config/specs.ts"
import type { Kind } from "../sdkClient.ts"
import { type GetterSpec, open as openGetter } from "../clientGetter.ts"
import type { Classes, Style } from "../errors.ts"
import * as azure from "../options/azure.ts"
import * as cerebras from "../options/cerebras.ts"
import * as groq from "../options/groq.ts"
import * as openai from "../options/openai.ts"
import { isBypass } from "../options/reading.ts"
import { warn } from "../../util/processWarning.ts"
import { defaultSet } from "../set.ts"
import type { Class, Made, Name } from "./model.ts"

/** Clients are made by the class itself, so there is nothing for the provider to construct. */
type Bare = Readonly<Record<never, never>>

type Sdk = Kind<object>["sdk"]

/** openai 5 has no admin's key, and throws if it is the only one. */
const knowsAdmin = (sdk: Class): boolean => "adminAPIKeyAuth" in (sdk.prototype as object)

const readFor =
  <P extends string>(sdk: Class, read: GetterSpec<object, Bare, Bare, P, never>["read"]): typeof read =>
  (options) => {
    const reading = read(options)
    const isAdmins = !isBypass(reading) && reading.sdk["apiKey"] === null
    return isAdmins && !knowsAdmin(sdk) ? { bypass: "option adminAPIKey: this version of the SDK has none" } : reading
  }

const way = <P extends string, Extra extends string>(
  spec: Spec<P, Extra>,
  style: Style,
  { rawKey, read }: Pick<GetterSpec<object, Bare, Bare, P, Extra>, "read" | "rawKey">
) => {
  const bare: Bare = Object.freeze({})
  const tag = Context.GenericTag<Bare>(`clientele/internal/register/${spec.id}`)
  const provider = make({ tag, spec, construct: () => bare })
  const getters = new WeakMap<Class, GetterSpec<object, Bare, Bare, P, Extra>>()
  return (sdk: Class, options: object | undefined): object => {
    let getter = getters.get(sdk)
    if (getter === undefined) {
      getter = { sdk: sdk as unknown as Sdk & Classes, style, spec, provider, read: readFor(sdk, read), rawKey }
      getters.set(sdk, getter)
    }
    return openGetter(getter, defaultSet(), options)
  }
}

const ways: Record<Name, (sdk: Class, options: object | undefined) => object> = {
  OpenAI: way(specs.openai, "nested", openai),
  AzureOpenAI: way(specs.azure, "nested", azure),
  Groq: way(specs.groq, "nested", groq),
  Cerebras: way(specs.cerebras, "flat", cerebras)
}

const warned = new Set<string>()

/** Throws what the class itself throws. */
export const open = (name: Name, sdk: Class, args: ReadonlyArray<unknown>): Made => {
  const [options] = args
  try {
    const client = ways[name](sdk, options as object | undefined)
    return { client, plain: Object.getPrototypeOf(client) === sdk.prototype }
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error
    const client = new sdk(...args)
    if (!warned.has(error.message)) {
      warned.add(error.message)
      warn(`a client of ${name} is not pooled: ${error.message}`)
    }
    return { client, plain: true }
  }
}
