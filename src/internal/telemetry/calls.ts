/**
 * Requests of SDKs' clients, pooled fetches and HttpClients, their waits and their retries included: calls of models by the
 * conventions for generative AI, others by those for HTTP. This is the path of every request: of an answer no more is
 * looked at than others keep of it anyway.
 */
import type { PreparedRequest } from "../http/request.ts"
import type { BodyObserver } from "../http/bodyObserver.ts"
import { type Count, ofTail, ofWhole } from "../quota/tokenUsage.ts"
import * as Answer from "./answer.ts"
import { bounded } from "./bounded.ts"
import { typeOf } from "./errorType.ts"
import * as GenAi from "./genAi.ts"
import * as Requests from "./requests.ts"
import type { RequestSpan, Tracing } from "./requestSpan.ts"
import { clearTimeout, setTimeout } from "../util/timers.ts"

/** Time for which the span of a received stream is kept open for its reader; it ends as of when the last byte came. */
const UNREAD_TIMEOUT_MS = 60_000

/** From the request until the end of its answer's body. */
export class Call implements BodyObserver {
  /** `undefined` without a tracer. */
  readonly span: RequestSpan | undefined
  /** Instruments of a call of a model; `undefined` for other requests. */
  readonly #of: GenAi.Instruments | undefined
  readonly #now: () => number
  #since: number
  #error: string | undefined
  #isBegun = false
  #isRead = false
  /** The reader has all of the stream. */
  #isWhole = false
  /** A stream whose reader may still report something. */
  #isOpen = false
  #late: NodeJS.Timeout | undefined

  /** `now` is in milliseconds. */
  constructor(of: GenAi.Instruments | undefined, span: RequestSpan | undefined, now: () => number) {
    this.#of = of
    this.span = span
    this.#now = now
    this.#since = now()
  }

  /** It had waited for so many ms before there was a request. */
  waited(ms: number): void {
    this.#since -= ms
  }

  /** There is an answer; there may have been others before. */
  answered(status: number): void {
    this.#error = status >= 400 ? String(status) : undefined
    if (this.#of === undefined) this.span?.set("http.response.status_code", status)
  }

  opened(): void {
    this.#isOpen = true
  }

  chunk(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#of?.firstChunk(this.#seconds())
  }

  whole(bytes: Uint8Array): void {
    if (this.#error !== undefined || this.#of === undefined) return
    if (!this.#isRead) this.used(ofWhole(bytes))
    if (this.span?.isRecording) Answer.ofWhole(this.span, bytes)
  }

  tail(text: string): void {
    this.#isWhole = true
    if (this.#of === undefined) return
    if (!this.#isRead) this.used(ofTail(text))
    if (this.span?.isRecording) Answer.ofTail(this.span, text)
  }

  /** Records the usage that the response reports; from then on its body is not searched for it. */
  used(count: Count | undefined): void {
    if (count === undefined || this.#of === undefined) return
    this.#isRead = true
    const { input, output } = count
    if (input !== undefined) this.#of.tokens("input", input)
    if (output !== undefined) this.#of.tokens("output", output)
    if (input !== undefined) this.span?.set("gen_ai.usage.input_tokens", input)
    if (output !== undefined) this.span?.set("gen_ai.usage.output_tokens", output)
  }

  failed(failure: unknown): void {
    this.#error = typeOf(failure)
  }

  /** The body broke, for this reason of a `RequestError` or `PoolError`. The status takes precedence. */
  cut(reason: string): void {
    if (!this.#isWhole) this.#error ??= reason
  }

  ended(): void {
    this.#of?.duration(this.#seconds(), this.#error)
    if (this.span === undefined) return
    if (!this.#isOpen) return this.span.end(this.#error)
    // It has come, and waits to be read.
    this.span.mark()
    this.#late = setTimeout(() => this.over(), UNREAD_TIMEOUT_MS).unref()
  }

  over(): void {
    this.#isOpen = false
    if (this.#late === undefined) return
    clearTimeout(this.#late)
    this.#late = undefined
    this.span?.end(this.#error)
  }

  #seconds(): number {
    return (this.#now() - this.#since) / 1_000
  }
}

/** Which paths are calls, of whatever provider. Anthropic's are `messages`. */
const paths = /\/(chat\/completions|completions|embeddings|messages|responses)(?:\?|$)/

const operations: Readonly<Record<string, string>> = {
  "chat/completions": "chat",
  completions: "text_completion",
  embeddings: "embeddings",
  messages: "chat",
  responses: "chat"
}

/** Operation and instruments of the calls of a model. */
interface Model {
  readonly operation: string
  readonly instruments: GenAi.Instruments
}

type ByModel = Map<string, GenAi.Instruments>

/** Metrics are the process's, so all clients of a provider have the same ones. */
const made = new Map<string, Map<string, ByModel>>()

const at = <V>(map: Map<string, V>, key: string, make: () => V): V => {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

/** A request that is recorded. `now` is in milliseconds. */
export type Calls = (
  request: Pick<PreparedRequest, "method" | "path" | "origin">,
  model: string,
  now: () => number,
  tracing: Tracing | undefined
) => Call | undefined

/** Calls of the clients of one provider at one server. `isExported` is what `Series.open` takes. */
export const make = (provider: string, server: Requests.ServerAddress, isExported = false): Calls => {
  const name = GenAi.providerName(provider, server.address)
  const byOperation = at(made, `${name} ${isExported}`, () => new Map<string, ByModel>())
  const to = { "server.address": server.address, "server.port": server.port }
  const find = (path: string, model: string): Model | undefined => {
    const operation = operations[paths.exec(path)?.[1] ?? ""]
    if (operation === undefined) return undefined
    const known = bounded("model", model)
    const instruments = at(
      at(byOperation, operation, () => new Map()),
      known,
      () => GenAi.make({ operation, provider: name, model: known === "" ? undefined : known }, isExported)
    )
    return { operation, instruments }
  }
  // Most clients ask one model in one way.
  let last: { readonly path: string; readonly model: string; readonly of: Model | undefined } | undefined
  return ({ method, origin, path }, model, now, tracing) => {
    if (method === "POST" && (last === undefined || last.path !== path || last.model !== model)) {
      last = { path, model, of: find(path, model) }
    }
    const of = method === "POST" ? last?.of : undefined
    if (of === undefined) {
      const span = tracing?.(Requests.methodOf(method), { ...http(method, origin, path), ...to })
      return span === undefined ? undefined : new Call(undefined, span, now)
    }
    const { instruments, operation } = of
    const span = tracing?.(model === "" ? operation : `${operation} ${model}`, {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": name,
      ...(model !== "" && { "gen_ai.request.model": model }),
      ...to
    })
    return new Call(instruments, span, now)
  }
}

/** Without the query, in which keys may stand. */
const http = (method: string, origin: string, path: string) => ({
  "http.request.method": Requests.methodOf(method),
  "url.full": origin + path.replace(/[?#].*$/s, "")
})
