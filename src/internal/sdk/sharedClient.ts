/**
 * The SDK's own class, over our fetch: one attempt and no timer as far as the SDK is concerned, for retries and timeouts
 * are kept below, also those of a single request. What users read of a client is what they set; they can't set it, for
 * the client is shared; and printing it shows no secret.
 *
 * It serves openai (6 and 7), AzureOpenAI, groq-sdk and cerebras alike, for all are made by Stainless. It overrides what
 * they have in common, and looks before it overrides what only some have.
 */
import { inspect, type InspectOptions } from "node:util"
import { OptionsError } from "../../ClientError.ts"
import { OWN, type Own } from "../request/pooledFetch.ts"
import { PLACEHOLDER } from "../redaction/redact.ts"
import * as StreamDetection from "./streamDetection.ts"
import { type Pooled, share, type SharedClientState, STATE } from "./sharedFields.ts"
import { isMocked } from "./mocked.ts"
import { here, SITE, type Site } from "./callSite.ts"
import { MAX_TIMEOUT_MS } from "../util/timers.ts"

/** Under this name an SDK's options carry what is ours, into `withOptions` too. */
const POOLED: unique symbol = Symbol("clientele/pooled")

interface Request {
  readonly timeout?: number
  readonly maxRetries?: number
  readonly fetchOptions?: Readonly<Record<string, unknown>> | null
  /** Cerebras's. */
  readonly httpAgent?: unknown
  readonly stream?: boolean
  readonly [SITE]?: Site
}

interface Built {
  readonly req: { [OWN]?: Own; [SITE]?: Site; readonly dispatcher?: unknown }
  readonly timeout: number
}

interface Self {
  readonly [STATE]: SharedClientState
}

interface Schemes {
  readonly bearerAuth?: boolean
}

type Capture = (key: string | null) => void

/** Members that the classes have in common, most of them private to TypeScript. */
interface Client {
  readonly apiKey: string | null
  readonly baseURL: string
  readonly timeout: number
  readonly maxRetries: number
  readonly _options: Record<PropertyKey, unknown>
  methodRequest(method: string, path: string, options?: Request | PromiseLike<Request>): unknown
  makeRequest(options: Request | Promise<Request>, retries: number | null, retryOf?: string): Promise<unknown>
  buildRequest(options: Request, progress?: object): Promise<Built>
  prepareOptions(options: Request): Promise<void>
  authHeaders(options: Request, schemes?: Schemes): unknown
  withOptions(options: object): object
  _callApiKey(capture?: Capture): Promise<boolean>
}

type Sdk<A> = new (options: never) => A

const known = new WeakMap<object, unknown>()

/** The class of clients over our fetch. One for each class of an SDK; its `options` are the SDK's, with `POOLED`. */
const of = <A extends object>(sdk: Sdk<A>): new (options: object) => A => {
  let pooled = known.get(sdk)
  if (pooled === undefined) known.set(sdk, (pooled = extend(sdk as unknown as new (options: object) => Client)))
  return pooled as new (options: object) => A
}

/** The SDK's client with these options, whose timeout and retries our fetch keeps. */
export const construct = <A extends object>(
  sdk: Sdk<A>,
  options: object,
  { maxRetries, timeout }: Pick<Pooled, "timeout" | "maxRetries">,
  more?: Omit<Pooled, "timeout" | "maxRetries">
): A => {
  if (isMocked("clientele", sdk)) return new (sdk as new (options: object) => A)(options)
  // Cerebras takes whole numbers alone, and `Infinity` is none.
  const settings = { maxRetries, timeout: Math.min(MAX_TIMEOUT_MS, Math.ceil(timeout)) }
  return new (of(sdk))({ ...options, ...settings, [POOLED]: { ...more, ...settings } })
}

const extend = (Base: new (options: object) => Client): unknown => {
  class Shared extends Base {
    declare readonly [STATE]: SharedClientState

    constructor(options: { readonly [POOLED]: Pooled }) {
      super(options)
      attach(this, options[POOLED])
    }

    /** The last turn in which the user's code is on the stack. */
    override methodRequest(way: string, path: string, options?: Request | PromiseLike<Request>) {
      const state = this[STATE]
      if (!state.watched || options === undefined || way !== "post") return super.methodRequest(way, path, options)
      state.site = siteOf(this, options)
      try {
        return super.methodRequest(way, path, options)
      } finally {
        state.site = undefined
      }
    }

    /** One attempt. What the caller says of retries travels with the request. */
    override makeRequest(options: Request | Promise<Request>, retries: number | null, retryOf?: string) {
      const { site, unwrap } = this[STATE]
      // Beside the SDK's own look at them, and before it: what waited a turn longer would be overtaken.
      if (site !== undefined && options instanceof Promise) options.then(noting(site), ignore)
      const asked = typeof retries === "number" ? limited(options, retries) : options
      return unwrapped(super.makeRequest(asked, 0, retryOf), unwrap)
    }

    override async buildRequest(options: Request, progress?: object) {
      refuse(Base.name, options)
      const built = await super.buildRequest(options, { ...progress, retryCount: 0 })
      const own = ownOf(options, this, this[STATE])
      if (own !== undefined) built.req[OWN] = own
      if (options.stream && options[SITE] !== undefined) built.req[SITE] = options[SITE]
      return { ...built, timeout: MAX_TIMEOUT_MS }
    }

    override authHeaders(options: Request, schemes?: Schemes) {
      return authorized(Base, this[STATE], schemes, () => super.authHeaders(options, schemes))
    }

    /** openai 6 gets the key here, and keeps it in a field until the header is written: another's, by then. */
    override prepareOptions(options: Request) {
      return this[STATE].token === undefined ? super.prepareOptions(options) : Promise.resolve()
    }

    toJSON() {
      return seen(this)
    }

    [inspect.custom](_depth: number, options: InspectOptions) {
      return `${Base.name} ${inspect(seen(this), options)}`
    }
  }

  const { prototype } = Base
  if ("_callApiKey" in prototype) method(Shared, "_callApiKey", callApiKey)
  if ("withOptions" in prototype) method(Shared, "withOptions", withOptionsOf(Shared, prototype))
  // To all who ask it is the SDK's own, which also names itself by it in User-Agent.
  method(Shared, "constructor", Base)
  return Shared
}

const attach = (client: Client & Self, pooled: Pooled): void => {
  const own = pooled.told && { told: pooled.told }
  const state: SharedClientState = {
    ...pooled,
    given: undefined,
    written: undefined,
    own,
    asking: undefined,
    site: undefined,
    fields: {},
    secrets: {}
  }
  Object.defineProperty(client, STATE, { value: state })
  share(client, state)
}

const withOptionsOf = (Shared: new (options: never) => Client, { withOptions }: Client) =>
  function (this: Client & Self, options: object): object {
    const other = this[STATE].withOptions
    if (other !== undefined) return other(options)
    // The SDK makes the other client with this.
    Object.defineProperty(this, "constructor", { value: Shared, configurable: true })
    try {
      return withOptions.call(this, options)
    } finally {
      Reflect.deleteProperty(this, "constructor")
    }
  }

const method = (owner: { readonly prototype: object }, name: string, value: unknown) =>
  Object.defineProperty(owner.prototype, name, { value, writable: true, configurable: true })

/** Call site of a stream, or of a call that may ask for one: openai 7 knows it in a later turn. */
const siteOf = (client: Client & Self, options: Request | PromiseLike<Request>): Site | undefined => {
  const { methodRequest } = client
  if (!("then" in options)) return options.stream ? here(methodRequest) : undefined
  const state = client[STATE]
  const { caller, stream } = (state.asking ??= StreamDetection.detect(client))
  return stream === false ? undefined : here(caller ?? methodRequest)
}

const noting =
  (site: Site) =>
  (known: { [SITE]?: Site }): void => {
    known[SITE] = site
  }

const ignore = (): void => undefined

const unwrapped = (made: Promise<unknown>, unwrap: SharedClientState["unwrap"]): Promise<unknown> => {
  if (unwrap === undefined) return made
  return made.catch((error: unknown) => {
    throw unwrap(error)
  })
}

/** `request` of the SDKs takes a number of retries of its own. */
const limited = async (options: Request | Promise<Request>, retries: number): Promise<Request> => {
  const request = await options
  return { ...request, maxRetries: Math.min(retries, request.maxRetries ?? Infinity) }
}

/** Fetch options that determine by themselves how a request is sent. */
const ways = ["dispatcher", "agent", "client", "proxy"]

const refuse = (provider: string, { fetchOptions, httpAgent }: Request): void => {
  if (fetchOptions == null && httpAgent == null) return
  const way = httpAgent == null ? ways.find((name) => fetchOptions?.[name] != null) : undefined
  if (way === undefined && httpAgent == null) return
  throw new OptionsError({
    provider,
    field: way === undefined ? "httpAgent" : `fetchOptions.${way}`,
    received: "given with a request",
    expected: "no such option of a request: give it with the options of a client, which is then unpooled"
  })
}

const ownOf = (request: Request, client: Client, pool: SharedClientState): Own | undefined => {
  // A client that `withOptions` made has its own.
  const timeout = request.timeout ?? (client.timeout === pool.timeout ? undefined : client.timeout)
  const asked = request.maxRetries ?? (client.maxRetries === pool.maxRetries ? undefined : client.maxRetries)
  // An invalid number of retries means the client's.
  const maxRetries = typeof asked === "number" && asked >= 0 ? asked : undefined
  return timeout === undefined && maxRetries === undefined ? pool.own : { timeout, maxRetries, told: pool.told }
}

/** In the header stands a placeholder, or the key that was got for this request and for no other. */
const authorized = (sdk: unknown, state: SharedClientState, schemes: Schemes | undefined, header: () => unknown) => {
  const write = (key: string | undefined): unknown => {
    state.written = key
    try {
      return header()
    } finally {
      state.written = undefined
    }
  }
  if (state.token === undefined) return write(state.given)
  return schemes?.bearerAuth === false || (schemes !== undefined && schemes.bearerAuth === undefined)
    ? write(undefined)
    : tokenOf(sdk, state.token).then(write)
}

/** The SDK's own words, for those who look for them. */
const tokenOf = async (sdk: unknown, token: () => unknown): Promise<string> => {
  const { OpenAIError } = sdk as { readonly OpenAIError: new (message: string, options?: ErrorOptions) => Error }
  let key: unknown
  try {
    key = await token()
  } catch (cause) {
    if (cause instanceof OpenAIError) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new OpenAIError(`Failed to get token from 'apiKey' function: ${message}`, { cause })
  }
  if (typeof key === "string" && key !== "") return key
  throw new OpenAIError(`Expected 'apiKey' function argument to return a string but it returned ${typeof key}`)
}

/** Asked by openai 7 for the header of a request, and by both for what opens sockets of its own: realtime. */
async function callApiKey(this: Client & Self, capture?: Capture): Promise<boolean> {
  const state = this[STATE]
  if (state.written !== undefined) {
    capture?.(state.written)
    return false
  }
  if (state.token === undefined) {
    capture?.(this.apiKey)
    return false
  }
  const key = await tokenOf(this.constructor, state.token)
  state.secrets["apiKey"] = () => key
  capture?.(key)
  return true
}

const seen = ({ baseURL, maxRetries, timeout }: Client) => ({ apiKey: PLACEHOLDER, baseURL, timeout, maxRetries })
