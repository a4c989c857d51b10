/** From a request to its answer: key, fault, content, cost, and time. */
import { collect, MAX_BODY_BYTES } from "./body.ts"
import { chat, isProblem, type Rendered } from "./chat.ts"
import { control } from "./control.ts"
import { type Counters, type RequestRecord, statsJson } from "./counters.ts"
import { embeddings } from "./embeddings.ts"
import { badJson, noModel, noRoute, type Problem, problem, scripted, unauthorized } from "./errors.ts"
import type { Exchange, Headers } from "./exchange.ts"
import { type FaultScript, numeric, parseFault } from "./faults.ts"
import { object } from "./json.ts"
import { limitHeaders, limitProblem } from "./limitReply.ts"
import type { RateLimits, AccountShare } from "./limits.ts"
import { fileOf, UploadStore } from "./files.ts"
import { messages } from "./messages.ts"
import type { Fault } from "./model.ts"
import { models } from "./models.ts"
import { responses } from "./responses.ts"
import { json, type Reply, SSE } from "./reply.ts"
import { keyOf, type EndpointRoute, route } from "./route.ts"
import { type Pace, send } from "./send.ts"

export interface EngineOptions {
  readonly latency: number
  readonly perToken: number
  readonly tokens: number
  readonly models: ReadonlyArray<string> | undefined
}

interface Replies {
  readonly answer: (reply: Reply) => void
  /** Answers within the limits of the key and the model, or with the provider's 429. */
  readonly admit: (model: string, reply: Reply) => void
}

const MAX_CACHED_BODY_BYTES = 8 * 1024
const MAX_CACHED_BODIES = 1000
const NO_HEADERS: Headers = {}

export class SandboxEngine {
  readonly #options: EngineOptions
  readonly #counters: Counters
  readonly #limits: RateLimits
  readonly #faults: FaultScript
  readonly #cache = new Map<string, Rendered | Problem>()
  readonly files = new UploadStore()
  #apiKeys: ReadonlySet<string> | undefined

  constructor(options: EngineOptions, counters: Counters, limits: RateLimits, faults: FaultScript) {
    this.#options = options
    this.#counters = counters
    this.#limits = limits
    this.#faults = faults
  }

  /** The keys that are known from now on; undefined for every key. */
  apiKeys(keys: Iterable<string> | undefined): void {
    this.#apiKeys = keys === undefined ? undefined : new Set(keys)
  }

  handle(exchange: Exchange): void {
    const question = exchange.url.indexOf("?")
    const path = question < 0 ? exchange.url : exchange.url.slice(0, question)
    if (path.startsWith("/__sandbox/")) return this.control(exchange)
    const key = keyOf(exchange)
    const known = this.#apiKeys === undefined || this.#apiKeys.has(key)
    const entry = this.#counters.begin(exchange, path, key, known)
    const to = route(exchange, path)
    let stop: (() => void) | undefined
    let place: AccountShare | undefined
    let closed = false
    exchange.onClose((aborted) => {
      closed = true
      stop?.()
      if (place !== undefined) this.#limits.leave(place)
      this.#counters.end(entry, aborted)
    })
    const answer = (reply: Reply, limits = NO_HEADERS) => {
      stop = this.#send(exchange, entry, to, reply, limits)
    }
    const admit = (model: string, reply: Reply) => {
      // A place taken now would never be left.
      if (closed) return
      const admission = this.#limits.admit(key, model, reply)
      place = admission.place
      const refused = admission.decision.over !== undefined
      answer(
        refused ? problem(to.provider, limitProblem(to.provider, model, admission.decision)) : reply,
        limitHeaders(to.provider, admission.decision)
      )
    }
    if (known) return this.#receive(exchange, entry, to, { answer, admit })
    exchange.body.resume()
    answer(problem(to.provider, unauthorized(to.provider, key)))
  }

  #receive(exchange: Exchange, entry: RequestRecord, to: EndpointRoute, { admit, answer }: Replies): void {
    if (to.endpoint === "unknown") {
      exchange.body.resume()
      return answer(problem(to.provider, noRoute(to.provider, exchange.method, entry.path)))
    }
    const id = entry.id.toString(16).padStart(12, "0")
    if (exchange.method !== "POST") {
      exchange.body.resume()
      return answer(this.#read(to, exchange.method))
    }
    if (to.endpoint === "files") {
      return this.files.receive(exchange, id, (result) => {
        if (isProblem(result)) return answer(problem(to.provider, result))
        admit("files", json(200, fileOf(result)))
      })
    }
    collect(exchange, (body) => {
      if (body === undefined) {
        return answer(
          problem(to.provider, { status: 413, message: `The body is larger than ${MAX_BODY_BYTES} bytes.` })
        )
      }
      const rendered = this.#render(to, body)
      if (isProblem(rendered)) return answer(problem(to.provider, rendered))
      const reply = rendered.reply(id)
      entry.model = rendered.model
      entry.streamed = reply.streamed
      admit(to.deployment ?? rendered.model, reply)
    })
  }

  #read(to: EndpointRoute, method: string): Reply {
    if (to.endpoint === "files") {
      if (to.id === undefined) return this.files.list()
      return method === "DELETE" ? this.files.delete(to.provider, to.id) : this.files.get(to.provider, to.id)
    }
    if (to.endpoint === "models") return models(to.provider, to.id, this.#options.models)
    return json(200, {})
  }

  #render(to: EndpointRoute, body: string): Rendered | Problem {
    const cacheKey =
      body.length <= MAX_CACHED_BODY_BYTES ? `${to.provider} ${to.endpoint} ${to.deployment ?? ""} ${body}` : ""
    const cached = cacheKey === "" ? undefined : this.#cache.get(cacheKey)
    if (cached !== undefined) return cached
    const rendered = this.#think(to, body)
    if (cacheKey !== "") {
      if (this.#cache.size >= MAX_CACHED_BODIES) this.#cache.clear()
      this.#cache.set(cacheKey, rendered)
    }
    return rendered
  }

  #think(to: EndpointRoute, text: string): Rendered | Problem {
    let rendered
    try {
      const body = object(JSON.parse(text))
      rendered = body === undefined ? badJson(to.provider, "expected an object") : this.#endpoint(to, body)
    } catch (error) {
      // Deep nesting overflows the stack here as well, and must not end the process.
      return badJson(to.provider, error instanceof Error ? error.message : String(error))
    }
    const known = this.#options.models
    if (
      known !== undefined &&
      !isProblem(rendered) &&
      rendered.model !== undefined &&
      !known.includes(rendered.model)
    ) {
      return noModel(to.provider, rendered.model)
    }
    return rendered
  }

  #endpoint(to: EndpointRoute, body: Readonly<Record<string, unknown>>): Rendered | Problem {
    switch (to.endpoint) {
      case "chat":
        return chat(to.provider, body, to.deployment, this.#options.tokens)
      case "messages":
        return messages(body, this.#options.tokens)
      case "responses":
        return responses(body, this.#options.tokens)
      case "embeddings":
        return embeddings(body, to.deployment)
      default:
        return noRoute(to.provider, "POST", `/${to.endpoint}`)
    }
  }

  #send(
    exchange: Exchange,
    entry: RequestRecord,
    to: EndpointRoute,
    reply: Reply,
    limits: Headers
  ): (() => void) | undefined {
    if (!exchange.isOpen()) return undefined
    const { pace, fault, complaint } = this.#adHoc(exchange)
    const chosen = fault ?? this.#faults.find({ path: entry.path, model: entry.model ?? to.deployment, key: entry.key })
    const said =
      complaint === undefined ? faulty(to, reply, chosen) : problem(to.provider, { status: 400, message: complaint })
    const id = `req_${entry.id.toString(16).padStart(12, "0")}`
    entry.fault = chosen?.type
    const headers: Headers = {
      ...said.headers,
      ...(chosen?.type === "status" ? NO_HEADERS : limits),
      [to.provider === "anthropic" ? "request-id" : "x-request-id"]: id
    }
    if (to.provider === "openai") headers["openai-processing-ms"] = `${Math.max(1, Math.round(pace.latency))}`
    if (to.provider === "azure") headers["apim-request-id"] = id
    if (chosen?.type === "status" || chosen?.type === "headers") Object.assign(headers, lowerCase(chosen.headers ?? {}))
    return send(exchange, said, headers, pace, chosen)
  }

  /** Pace and fault that the request's own x-sandbox-* headers ask for. */
  #adHoc(exchange: Exchange): { pace: Pace; fault: Fault | undefined; complaint: string | undefined } {
    const text = exchange.header("x-sandbox-fault")
    const fault = text === undefined ? undefined : parseFault(text)
    return {
      pace: {
        latency: numeric(exchange.header("x-sandbox-latency")) ?? this.#options.latency,
        perToken: numeric(exchange.header("x-sandbox-time-per-token")) ?? this.#options.perToken
      },
      fault,
      complaint: text !== undefined && fault === undefined ? `x-sandbox-fault: unknown fault ${text}` : undefined
    }
  }

  control(exchange: Exchange): void {
    control(exchange, {
      stats: () => statsJson(this.#counters.stats()),
      reset: () => this.#counters.reset(),
      limit: (limit) => this.#limits.change(limit),
      apiKeys: (keys) => this.apiKeys(keys)
    })
  }
}

const lowerCase = (headers: Readonly<Record<string, string>>): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** The reply that a fault puts in the place of the true one. */
const faulty = (to: EndpointRoute, reply: Reply, fault: Fault | undefined): Reply => {
  if (fault?.type === "status") {
    if (fault.body !== undefined) return json(fault.status, fault.body)
    return problem(to.provider, scripted(fault.status, fault.code))
  }
  if (fault?.type === "garbage" && fault.what === "json") {
    const broken = `{"id": "chatcmpl-broken", "choices": [{"mess`
    return reply.streamed
      ? { ...json(200, `data: ${broken}\n\n`), headers: SSE }
      : { ...json(200, broken), headers: reply.headers }
  }
  return reply
}
