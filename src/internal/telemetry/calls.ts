/**
 * Calls of models that SDKs' clients, pooled fetches and HttpClients make, by the conventions for generative AI: one
 * request is one call, its waits and its retries included. This is the path of every request: of an answer no more is
 * looked at than others keep of it anyway.
 */
import type { Listener } from "../fetch/tapping.ts"
import { type Count, ofTail, ofWhole } from "../quota/usage.ts"
import { bounded } from "./bounded.ts"
import { typeOf } from "./errorType.ts"
import * as GenAi from "./genAi.ts"

/** From the request until the end of its answer's body. */
export class Call implements Listener {
  readonly #of: GenAi.Instruments
  readonly #now: () => number
  readonly #since: number
  #error: string | undefined
  #isBegun = false
  #isRead = false
  /** The reader has all of the stream. */
  #isWhole = false

  /** `now` is in milliseconds. */
  constructor(of: GenAi.Instruments, now: () => number) {
    this.#of = of
    this.#now = now
    this.#since = now()
  }

  /** There is an answer; there may have been others before. */
  answered(status: number): void {
    this.#error = status >= 400 ? String(status) : undefined
  }

  chunk(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#of.firstChunk(this.#seconds())
  }

  whole(bytes: Uint8Array): void {
    if (this.#error === undefined && !this.#isRead) this.used(ofWhole(bytes))
  }

  tail(text: string): void {
    this.#isWhole = true
    if (!this.#isRead) this.used(ofTail(text))
  }

  /** What the answer says it cost; from then on nobody else need look. */
  used(count: Count | undefined): void {
    if (count === undefined) return
    this.#isRead = true
    const { input, output } = count
    if (input !== undefined) this.#of.tokens("input", input)
    if (output !== undefined) this.#of.tokens("output", output)
  }

  failed(failure: unknown): void {
    this.#error = typeOf(failure)
  }

  /** The body broke, for this reason of a `RequestError` or `PoolError`. What the status said counts more. */
  cut(reason: string): void {
    if (!this.#isWhole) this.#error ??= reason
  }

  ended(): void {
    this.#of.duration(this.#seconds(), this.#error)
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

type ByModel = Map<string, GenAi.Instruments>

/** Metrics are the process's, so all clients of a provider have the same ones. */
const made = new Map<string, Map<string, ByModel>>()

const at = <V>(map: Map<string, V>, key: string, make: () => V): V => {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

/** The call that a request is, if it is one. `now` is in milliseconds. */
export type Calls = (method: string, path: string, model: string, now: () => number) => Call | undefined

/** Of the clients of one provider at one host. */
export const make = (provider: string, host: string): Calls => {
  const name = GenAi.providerName(provider, host)
  const byOperation = at(made, name, () => new Map<string, ByModel>())
  const find = (path: string, model: string): GenAi.Instruments | undefined => {
    const operation = operations[paths.exec(path)?.[1] ?? ""]
    if (operation === undefined) return undefined
    const known = bounded("model", model)
    return at(
      at(byOperation, operation, () => new Map()),
      known,
      () => GenAi.make({ operation, provider: name, model: known === "" ? undefined : known })
    )
  }
  // Most clients ask one model in one way.
  let last: { readonly path: string; readonly model: string; readonly of: GenAi.Instruments | undefined } | undefined
  return (method, path, model, now) => {
    if (method !== "POST") return undefined
    if (last === undefined || last.path !== path || last.model !== model) last = { path, model, of: find(path, model) }
    return last.of === undefined ? undefined : new Call(last.of, now)
  }
}
