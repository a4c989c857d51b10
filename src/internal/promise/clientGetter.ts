/** From the options of an SDK's constructor to the object that equivalent options share. */
import { OptionsError } from "../../ClientError.ts"
import type { Clients } from "../../Promise.ts"
import type { Provider } from "../../Provider.ts"
import { type Kind, make } from "./sdkClient.ts"
import * as Mocked from "../sdk/mocked.ts"
import type { RawKey } from "./options/key.ts"
import { type Bypass, isBypass, type Reading } from "./options/reading.ts"
import { type ClientSet, setOf } from "./set.ts"
import { debug } from "./consoleLogger.ts"
import { twinOf } from "../options/twins.ts"

export interface GetterSpec<A extends object, I, Client, P extends string, Extra extends string> extends Kind<A> {
  readonly provider: Provider<I, Client, P, Extra>
  readonly read: (options?: unknown) => Reading<P> | Bypass
  readonly rawKey: RawKey
  /** Throws for a base URL at which the SDK's clients may not be made. @default none */
  readonly refuse?: (baseURL: string) => void
}

/** A getter whose SDK may be mocked, and is looked at with the first call. */
export interface Entrance<A extends object, I, Client, P extends string, Extra extends string> extends Omit<
  GetterSpec<A, I, Client, P, Extra>,
  "sdk"
> {
  readonly sdk: () => Kind<A>["sdk"] | undefined
  /** The package that exports it. */
  readonly sdkPackage: string
}

/** The function that takes the place of an SDK's constructor. */
export const accessor = <A extends object, I, Client, P extends string, Extra extends string>({
  sdk: sdkOf,
  sdkPackage,
  ...more
}: Entrance<A, I, Client, P, Extra>): ((options?: object, clients?: Clients) => A) => {
  const enter = (): ((options?: object, clients?: Clients) => A) => {
    const provider = more.provider.id
    const sdk = sdkOf()
    if (Mocked.isMocked(provider, sdk)) return (options) => plain(sdk!, options)
    const refuse = (baseURL: string): void => Mocked.refuseUnreached(provider, sdkPackage, baseURL)
    const getter: GetterSpec<A, I, Client, P, Extra> = { ...more, sdk: sdk!, refuse }
    return (options, clients) => open(getter, setOf(clients), options)
  }
  let entered: ReturnType<typeof enter> | undefined
  return (options, clients) => (entered ??= enter())(options, clients)
}

const plain = <A extends object>(sdk: Kind<A>["sdk"], options: object | undefined): A =>
  new (sdk as unknown as new (options: object | undefined) => A)(options)

/** Thrown through the table, which has no word for "not kept". */
class Unpooled {
  readonly why: string
  constructor(why: string) {
    this.why = why
  }
}

/** Throws an OptionsError that is the SDK's own kind of error too. */
export const open = <A extends object, I, Client, P extends string, Extra extends string>(
  getter: GetterSpec<A, I, Client, P, Extra>,
  set: ClientSet,
  options: object | undefined
): A => {
  try {
    return set.object<A>(getter, getter.rawKey(options), () => {
      const reading = getter.read(options)
      if (isBypass(reading)) throw new Unpooled(reading.bypass)
      const { config, sdk } = reading
      getter.refuse?.(config.baseURL)
      return {
        config,
        sdk,
        make: () => {
          // The caller may change them.
          const given = { ...options }
          return make(getter, reading, set.fetchOf(getter.provider, config), (more) =>
            open(getter, set, inherit(given, reading, more))
          )
        }
      }
    })
  } catch (error) {
    if (error instanceof OptionsError) throw twinOf(getter.sdk, error)
    if (!(error instanceof Unpooled)) throw error
    if (set.isGuarded) {
      const refused = new OptionsError({
        provider: getter.provider.id,
        field: "options",
        received: error.why,
        expected: "options that the pool supports: allowHost and allowAddress apply to pooled clients alone"
      })
      throw twinOf(getter.sdk, refused)
    }
    debug("an unpooled %s, which shares nothing: %s", getter.sdk.name, error.why)
    return plain(getter.sdk, options)
  }
}

/** Options that a client keeps from when it was made: clients made from it do not read the environment again. */
const fixed = ["organization", "project", "adminAPIKey", "webhookSecret", "logLevel", "apiVersion"]

/** Alternative options: the later one counts. */
const either = [
  ["baseURL", "endpoint", "dataResidency"],
  ["apiKey", "azureADTokenProvider"]
]

type Options = Record<string, unknown>

const inherit = (given: Options, { config, sdk }: Reading, more: object): Options => {
  const all: Options = {}
  for (const name of fixed) if (sdk[name] !== undefined) all[name] = sdk[name]
  all["baseURL"] = sdk["baseURL"] ?? config.baseURL
  // `null` where an admin's key is all there is.
  all["apiKey"] = "apiKey" in sdk ? sdk["apiKey"] : config.credential
  for (const options of [given, more as Options]) {
    for (const group of either) {
      if (group.some((name) => options[name] !== undefined)) for (const name of group) delete all[name]
    }
    Object.assign(all, options)
  }
  return all
}
