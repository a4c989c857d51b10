/**
 * A `Response` whose body has come already. The platform's own makes a stream of every body, and text() then reads that
 * stream: a seventh of the CPU of a whole chat request. This one reads its bytes directly, and makes the platform's
 * response only when the stream is used. Its headers are made into `Headers` when they are asked for.
 */
import type { WireResponse } from "./types.ts"

export interface WholeInit {
  readonly status: number
  readonly statusText: string
  readonly url: string
  readonly redirected: boolean
  /** Names in lower case. @default none */
  readonly headers?: WireResponse["headers"]
}

type Body = NonNullable<Response["body"]>
type Form = Awaited<ReturnType<Response["formData"]>>

const copied = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
const used = () => new TypeError("Body is unusable: Body has already been read")

// Only what is inherited: TypeScript declares the rest as fields, which methods can't override.
const Platform: new (
  body: null,
  init: Pick<WholeInit, "status" | "statusText">
) => Pick<Response, "ok" | "status" | "statusText" | "type"> = Response

export class WholeResponse extends Platform implements Response {
  static {
    // Code that constructs another response from this one's class gets the platform's.
    Object.defineProperty(this.prototype, "constructor", { value: Response, configurable: true, writable: true })
  }

  readonly #bytes: Uint8Array
  readonly #init: WholeInit
  #used = false
  #hasHeaders = false
  #platform: Response | undefined

  constructor(bytes: Uint8Array, init: WholeInit) {
    super(null, { status: init.status, statusText: init.statusText })
    this.#bytes = bytes
    this.#init = init
  }

  /** The same response as the platform makes it; from then on it is the one that keeps the state of the body. */
  #open(): Response {
    if (this.#platform === undefined) {
      this.#platform = new Response(this.#bytes, { ...this.#init, headers: this.headers })
      // A body that was read here must look read there: disturbed.
      if (this.#used) void this.#platform.arrayBuffer()
    }
    return this.#platform
  }

  /** The bytes, the first time. */
  #take(): Buffer {
    if (this.#used) throw used()
    this.#used = true
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  #takeText(): string {
    const text = this.#take().toString("utf8")
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  }

  /** The text at once, for those who need no promise of it; `undefined` once somebody has asked for the stream. */
  static textOf(response: Response): string | undefined {
    return response instanceof WholeResponse && response.#platform === undefined ? response.#takeText() : undefined
  }

  /** One header, for those who need no others. The name is in lower case. */
  static headerOf(response: Response, name: string): string | null {
    if (!(response instanceof WholeResponse) || response.#hasHeaders) return response.headers.get(name)
    let all: string | null = null
    for (const [known, value] of response.#init.headers ?? []) {
      if (known === name) all = all === null ? value : `${all}, ${value}`
    }
    return all
  }

  get headers(): Headers {
    const headers = Reflect.get(Response.prototype, "headers", this) as Headers
    if (this.#hasHeaders) return headers
    this.#hasHeaders = true
    // Appending costs half of what an init object does.
    for (const [name, value] of this.#init.headers ?? []) headers.append(name, value)
    return headers
  }

  get url(): string {
    return this.#init.url
  }

  get redirected(): boolean {
    return this.#init.redirected
  }

  get body(): Body {
    return this.#open().body!
  }

  get bodyUsed(): boolean {
    return this.#platform === undefined ? this.#used : this.#platform.bodyUsed
  }

  async text(): Promise<string> {
    return this.#platform === undefined ? this.#takeText() : this.#platform.text()
  }

  async json(): Promise<unknown> {
    return this.#platform === undefined ? JSON.parse(this.#takeText()) : this.#platform.json()
  }

  async bytes(): Promise<Uint8Array> {
    // A copy: the bytes may be a part of what a socket read.
    return this.#platform === undefined ? copied(this.#take()) : this.#platform.bytes()
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#platform === undefined ? copied(this.#take()).buffer : this.#platform.arrayBuffer()
  }

  blob(): ReturnType<Response["blob"]> {
    return this.#open().blob()
  }

  formData(): Promise<Form> {
    return this.#open().formData()
  }

  clone(): Response {
    if (this.#platform === undefined) {
      if (this.#used) throw used()
      return new WholeResponse(this.#bytes, { ...this.#init, headers: [...this.headers] })
    }
    return named(this.#platform.clone(), this.#init.url, this.#init.redirected)
  }
}

/** Says of a constructed response where it came from, as fetch does. */
export const named = (response: Response, url: string, redirected: boolean): Response => {
  Object.defineProperty(response, "url", { value: url, configurable: true })
  if (redirected) Object.defineProperty(response, "redirected", { value: true, configurable: true })
  return response
}
