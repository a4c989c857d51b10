/** Everything that the chunks of a streamed body pass on their way to its reader: bounds, observers, redaction. */
import { cleaned, type Tapping } from "./bodyObserver.ts"
import { eventTooLong, WholeMeasure } from "./measure.ts"
import type { Clean } from "./redactErrorBody.ts"
import { firstUnreadable } from "./sse/jsonEvents.ts"
import { asBuffer, EventScanner } from "./sse/scanner.ts"
import { WholeEvents } from "./sse/splitter.ts"
import type { Termination } from "./sse/termination.ts"
import { WireError } from "../wire/errors.ts"

export interface BodyFilter {
  /** Returns the bytes that the reader is given now. Throws a WireError at a chunk that ends the body. */
  readonly chunk: (bytes: Uint8Array) => Uint8Array | undefined
  /** Error of a body that ends behind the bytes just returned. */
  readonly failure: WireError | undefined
  /** Returns the bytes that the reader is given at the end of the body. Throws a WireError for a body that is cut. */
  readonly end: () => Uint8Array | undefined
  /** Called once, when the reader gets no more chunks: it has come to the end, has cancelled, or the body has failed. */
  readonly close: (reason: "cancelled" | "ended" | "failed") => void
}

/** For any body but a stream of events. */
export class PlainFilter implements BodyFilter {
  readonly failure = undefined
  readonly #measure: WholeMeasure
  readonly #tapping: Tapping

  /** `most`: bytes that the body may have. */
  constructor(tapping: Tapping, most: number) {
    this.#tapping = tapping
    this.#measure = new WholeMeasure(most)
  }

  chunk(bytes: Uint8Array): Uint8Array {
    this.#measure.chunk(bytes)
    this.#tapping.tap?.(bytes, 0)
    return bytes
  }

  end(): undefined {}

  close(): void {
    this.#tapping.onTapped?.()
  }
}

const eventEnd = Buffer.from("\n\n")

/** For a stream of events, which is scanned here, once for all that follow. */
export class EventFilter implements BodyFilter {
  failure: WireError | undefined
  readonly #scanner = new EventScanner()
  readonly #tapping: Tapping
  readonly #most: number
  readonly #ending: Termination | undefined
  #checksJson: boolean
  readonly #clean: Clean | undefined
  /** `undefined` where the reader is given the chunks as they come. */
  #events: WholeEvents | undefined
  /** True if an event that ends with the body, and not with an empty line, is none of the reader's. */
  #dropsRest = false

  /** `most`: bytes that an event may have. */
  constructor(tapping: Tapping, most: number, ending: Termination | undefined, checksJson: boolean) {
    this.#tapping = tapping
    this.#most = most
    this.#ending = ending
    this.#checksJson = checksJson
    this.#clean = tapping.clean?.()
    if (this.#clean !== undefined || checksJson) this.#events = new WholeEvents()
  }

  /** From now on chunks are whole events, as their parser's own checks want them. To be called before the first. */
  leaveToParser(): void {
    this.#events ??= new WholeEvents()
    this.#checksJson = false
    this.#dropsRest = true
  }

  chunk(bytes: Uint8Array): Uint8Array | undefined {
    const { listener, tap } = this.#tapping
    const chunk = asBuffer(bytes)
    const end = this.#scanner.scan(chunk)
    if (this.#scanner.longest > this.#most) throw eventTooLong(this.#most)
    tap?.(chunk, this.#scanner.dataLines)
    this.#ending?.add(chunk, end)
    listener?.chunk()
    if (this.#events === undefined) return this.#give(chunk)
    const whole = this.#events.chunk(chunk, end)
    const readable = whole === undefined || !this.#checksJson ? whole : this.#readable(whole)
    return readable === undefined ? undefined : this.#give(this.#clean?.(readable) ?? readable)
  }

  end(): Uint8Array | undefined {
    const cut = this.#ending?.failure(cleaned(this.#tapping))
    if (cut !== undefined) throw cut
    const rest = this.#events?.rest()
    if (rest === undefined || this.#dropsRest) return undefined
    const clean = this.#clean?.(rest) ?? rest
    // Some readers take it for an event.
    const events = this.#scanner.dataLines
    this.#tapping.given?.({ text: Buffer.concat([clean, eventEnd]), isEvents: true, events })
    return clean
  }

  close(reason: "cancelled" | "ended" | "failed"): void {
    const { listener, onTapped } = this.#tapping
    onTapped?.()
    const ending = this.#ending
    // A reader that has seen the last event need not wait for the end.
    const isWhole =
      reason === "ended" || (reason === "cancelled" && listener !== undefined && ending?.hasCome() === true)
    if (isWhole && ending !== undefined) listener?.tail(ending.tail())
    listener?.over()
  }

  #give(bytes: Uint8Array): Uint8Array {
    this.#tapping.given?.({ text: bytes, isEvents: true, events: this.#scanner.wholeDataLines })
    return bytes
  }

  /** Returns the events up to the first that is invalid JSON, with which the body fails. */
  #readable(events: Buffer): Buffer | undefined {
    const at = firstUnreadable(events)
    if (at === undefined) return events
    this.failure = new WireError("Malformed", "yes", "an event in the response's stream is invalid JSON")
    return events.subarray(0, at)
  }
}
