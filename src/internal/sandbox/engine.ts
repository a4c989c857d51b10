/** From a request to its answer: who asks, what goes wrong, what is said, what it costs, when it is sent. */
import { chat, isProblem, type Rendered } from "./chat.ts"
import { type Counters, type Entry, statsJson } from "./counters.ts"
import { embeddings } from "./embeddings.ts"
import { badJson, noModel, noRoute, type Problem, problem, unauthorized } from "./errors.ts"
import type { Exchange, Headers } from "./exchange.ts"
import { type FaultScript, numeric, parseFault } from "./faults.ts"
import { object } from "./json.ts"
import { type Decision, limitHeaders, limitMessage, type Limits } from "./limits.ts"
import { fileOf, Files } from "./files.ts"
import { messages } from "./messages.ts"
import type { Fault } from "./model.ts"
import { models } from "./models.ts"
import { responses } from "./responses.ts"
import { json, type Reply, SSE } from "./reply.ts"
import { keyOf, type Route, route } from "./route.ts"
import { type Pace, send } from "./send.ts"

export interface EngineOptions {
  readonly latency: number
  readonly perToken: number
  readonly tokens: number
  readonly apiKeys: ReadonlySet<string> | undefined
  readonly models: ReadonlyArray<string> | undefined
}

const MAX_BODY = 64 * 1024 * 1024
const CACHED_BODY = 8 * 1024
const CACHE_SIZE = 1000

export class Engine {
  readonly #options: EngineOptions
  readonly #counters: Counters
  readonly #limits: Limits
  readonly #faults: FaultScript
  readonly #cache = new Map<string, Rendered | Problem>()
  readonly files = new Files()

  constructor(options: EngineOptions, counters: Counters, limits: Limits, faults: FaultScript) {
    this.#options = options
    this.#counters = counters
    this.#limits = limits
    this.#faults = faults
  }

  handle(exchange: Exchange): void {
    const question = exchange.url.indexOf("?")
    const path = question < 0 ? exchange.url : exchange.url.slice(0, question)
    if (path.startsWith("/__sandbox/")) return this.control(exchange)
    const key = keyOf(exchange)
    const entry = this.#counters.begin(exchange, path, key)
    const entered = this.#limits.enter(key)
    let stop: (() => void) | undefined
    exchange.onClose((aborted) => {
      stop?.()
      if (entered) this.#limits.leave(key)
      this.#counters.end(entry, aborted)
    })
    const to = route(exchange, path)
    const answer = (reply: Reply, decision?: Decision) => {
      const limits = decision ?? this.#limits.peek(key)
      stop = this.#send(exchange, entry, to, reply, limitHeaders(to.provider, limits))
    }
    const known = this.#options.apiKeys
    if (known !== undefined && !known.has(key)) {
      exchange.body.resume()
      return answer(problem(to.provider, unauthorized(to.provider, key)))
    }
    if (!entered) {
      exchange.body.resume()
      return this.#refuse(to, entry, this.#limits.crowded(key), answer)
    }
    if (to.endpoint === "unknown") {
      exchange.body.resume()
      return answer(problem(to.provider, noRoute(to.provider, exchange.method, path)))
    }
    const id = entry.id.toString(16).padStart(12, "0")
    if (exchange.method !== "POST") {
      exchange.body.resume()
      return answer(this.#read(to, exchange.method))
    }
    if (to.endpoint === "files") {
      return this.files.receive(exchange, id, (result) => {
        if (isProblem(result)) return answer(problem(to.provider, result))
        const decision = this.#limits.take(key, 0)
        if (decision.over !== undefined) return this.#refuse(to, entry, decision, answer)
        answer(json(200, fileOf(result)), decision)
      })
    }
    collect(exchange, (body) => {
      if (body === undefined) {
        return answer(problem(to.provider, { status: 413, message: `The body is larger than ${MAX_BODY} bytes.` }))
      }
      const rendered = this.#render(to, body)
      if (isProblem(rendered)) return answer(problem(to.provider, rendered))
      entry.model = rendered.model
      const reply = rendered.reply(id)
      const decision = this.#limits.take(key, reply.tokens)
      if (decision.over !== undefined) return this.#refuse(to, entry, decision, answer)
      answer(reply, decision)
    })
  }

  #refuse(to: Route, entry: Entry, decision: Decision, answer: (reply: Reply, decision: Decision) => void): void {
    const code = decision.over === "tokens" && to.provider === "groq" ? "tokens_rate_limit" : "rate_limit_exceeded"
    answer(problem(to.provider, { status: 429, code, message: limitMessage(entry.model, decision) }), decision)
  }

  #read(to: Route, method: string): Reply {
    if (to.endpoint === "files") {
      if (to.id === undefined) return this.files.list()
      return method === "DELETE" ? this.files.delete(to.provider, to.id) : this.files.get(to.provider, to.id)
    }
    if (to.endpoint === "models") return models(to.provider, to.id, this.#options.models)
    return json(200, {})
  }

  #render(to: Route, body: string): Rendered | Problem {
    const cacheKey = body.length <= CACHED_BODY ? `${to.provider} ${to.endpoint} ${to.deployment ?? ""} ${body}` : ""
    const cached = cacheKey === "" ? undefined : this.#cache.get(cacheKey)
    if (cached !== undefined) return cached
    const rendered = this.#think(to, body)
    if (cacheKey !== "") {
      if (this.#cache.size >= CACHE_SIZE) this.#cache.clear()
      this.#cache.set(cacheKey, rendered)
    }
    return rendered
  }

  #think(to: Route, text: string): Rendered | Problem {
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

  #endpoint(to: Route, body: Readonly<Record<string, unknown>>): Rendered | Problem {
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

  #send(exchange: Exchange, entry: Entry, to: Route, reply: Reply, limits: Headers): (() => void) | undefined {
    if (!exchange.isOpen()) return undefined
    const { pace, fault, complaint } = this.#adHoc(exchange)
    const chosen = fault ?? this.#faults.find({ path: entry.path, model: entry.model ?? to.deployment, key: entry.key })
    const said =
      complaint === undefined ? faulty(to, reply, chosen) : problem(to.provider, { status: 400, message: complaint })
    const id = `req_${entry.id.toString(16).padStart(12, "0")}`
    entry.fault = chosen?.type
    const headers: Headers = {
      ...said.headers,
      ...limits,
      [to.provider === "anthropic" ? "request-id" : "x-request-id"]: id
    }
    if (to.provider === "openai") headers["openai-processing-ms"] = `${Math.max(1, Math.round(pace.latency))}`
    if (to.provider === "azure") headers["apim-request-id"] = id
    if (chosen?.type === "status") Object.assign(headers, lowerCase(chosen.headers ?? {}))
    return send(exchange, said, headers, pace, chosen)
  }

  /** What the request's own x-sandbox-* headers ask for. */
  #adHoc(exchange: Exchange): { pace: Pace; fault: Fault | undefined; complaint: string | undefined } {
    const text = exchange.header("x-sandbox-fault")
    const fault = text === undefined ? undefined : parseFault(text)
    return {
      pace: {
        latency: numeric(exchange.header("x-sandbox-latency")) ?? this.#options.latency,
        perToken: numeric(exchange.header("x-sandbox-time-per-token")) ?? this.#options.perToken
      },
      fault,
      complaint: text !== undefined && fault === undefined ? `x-sandbox-fault: ${text} is no fault` : undefined
    }
  }

  /** Statistics for other processes; not counted. */
  control(exchange: Exchange): void {
    exchange.body.resume()
    const path = exchange.url
    const known = path === "/__sandbox/stats" || (path === "/__sandbox/reset" && exchange.method === "POST")
    if (path === "/__sandbox/reset" && known) this.#counters.reset()
    const body = JSON.stringify(known ? statsJson(this.#counters.stats()) : { error: `no ${path} here` })
    exchange.onClose(() => {})
    exchange.head(known ? 200 : 404, {
      "content-type": "application/json",
      "content-length": `${Buffer.byteLength(body)}`
    })
    exchange.end(body)
  }
}

const lowerCase = (headers: Readonly<Record<string, string>>): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** The reply that a fault puts in the place of the true one. */
const faulty = (to: Route, reply: Reply, fault: Fault | undefined): Reply => {
  if (fault?.type === "status") {
    if (fault.body !== undefined) return json(fault.status, fault.body)
    const message = `The sandbox was told to fail with ${fault.status}.`
    return problem(to.provider, {
      status: fault.status,
      code: fault.status === 429 ? "rate_limit_exceeded" : undefined,
      message
    })
  }
  if (fault?.type === "garbage" && fault.what === "json") {
    const broken = `{"id": "chatcmpl-broken", "choices": [{"mess`
    return reply.streamed
      ? { ...json(200, `data: ${broken}\n\n`), headers: SSE }
      : { ...json(200, broken), headers: reply.headers }
  }
  return reply
}

/** The body as text; undefined if it is too large. Nothing if it never ends. */
const collect = (exchange: Exchange, done: (body: string | undefined) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  exchange.body.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY) chunks.push(chunk)
  })
  exchange.body.on("end", () => {
    if (size > MAX_BODY) return done(undefined)
    const only = chunks[0]
    done(only === undefined ? "" : (chunks.length === 1 ? only : Buffer.concat(chunks)).toString())
  })
  exchange.body.on("error", () => {})
}
