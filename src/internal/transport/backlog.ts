/** The bounds of a pool's queue: how many wait, and how many bytes their bodies have. */
import type { QueueLimits } from "../util/bounds.ts"
import type { RequestBody } from "../wire/request.ts"
import { WireError } from "../wire/errors.ts"
import { isStreamed } from "./upload.ts"

/** Bytes of memory that a waiting body holds. Text counts by its characters: encoding costs more than sending it. */
const heldBytes = (body: RequestBody): number => (body === undefined || isStreamed(body) ? 0 : body.length)

export class Backlog {
  readonly #limits: QueueLimits
  readonly #origin: string
  #bytes = 0

  constructor(origin: string, limits: QueueLimits) {
    this.#origin = origin
    this.#limits = limits
  }

  /** Error for one more request with such a body behind `queued` others; `undefined` if it may join them. */
  refusal(queued: number, body: RequestBody): WireError | undefined {
    // A single request waits behind none, and a bound below one body must not shut the origin.
    if (queued === 0) return undefined
    const { maxQueue, maxQueueBytes } = this.#limits
    if (queued >= maxQueue) return queueFull(this.#origin, queued, maxQueue)
    const bytes = heldBytes(body)
    if (bytes === 0 || this.#bytes + bytes <= maxQueueBytes) return undefined
    const what = `${queued} requests with ${this.#bytes} bytes wait`
    return full(this.#origin, what, `transport.maxQueueBytes (${maxQueueBytes})`)
  }

  /** A request waits, again or for the first time. */
  enter(body: RequestBody): void {
    this.#bytes += heldBytes(body)
  }

  /** A request has ceased to wait. */
  leave(body: RequestBody): void {
    this.#bytes -= heldBytes(body)
  }
}

const full = (origin: string, what: string, bound: string): WireError =>
  new WireError(
    "Capacity",
    "no",
    `${what} for a socket to ${origin}, which is all that ${bound} allows; this one was not sent. ` +
      "Start fewer agents at once, raise the bound, or allow more sockets (transport.maxConnections)"
  )

/** Error for one more request where `queued` wait already. */
export const queueFull = (origin: string, queued: number, maxQueue: number): WireError =>
  full(origin, `${queued} requests wait`, `transport.maxQueue (${maxQueue})`)
