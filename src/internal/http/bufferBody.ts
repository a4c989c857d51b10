/**
 * Bodies buffered before their consumer reads them: whole if they are small, else as far as needed to find that out.
 */
import { WireError } from "../wire/errors.ts"
import type { WireBody } from "./types.ts"
import { clearTimeout, setTimeout } from "../util/timers.ts"

/** Bodies up to this size, in bytes, are read before fetch resolves. */
export const wholeBytes = 64 * 1024

/**
 * For how long, in ms, a body of unknown length may keep fetch from resolving. A server that has a JSON answer sends all
 * of it at once; one that trickles loses no more than this.
 */
const patience = 10

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)

/** A body that is known to be small. */
export const collect = async (body: WireBody, length: number): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
  return ofLength(joined(chunks), length)
}

/** The bytes of a body, of which there must be `length`. */
export const ofLength = (bytes: Uint8Array, length: number): Uint8Array => {
  if (bytes.byteLength === length) return bytes
  throw new WireError("Connection", "yes", `the response body ended after ${bytes.byteLength} of ${length} bytes`)
}

/** `body` as it was before `chunks`, and the read that is under way, were taken from it. */
export const unread = (
  body: WireBody,
  chunks: Array<Uint8Array>,
  pending: Promise<Uint8Array | undefined> | undefined
): WireBody => ({
  read: () => {
    const chunk = chunks.shift()
    if (chunk !== undefined) return Promise.resolve(chunk)
    const first = pending ?? body.read()
    pending = undefined
    return first
  },
  cancel: () => body.cancel(),
  onEnd: (f) => body.onEnd(f)
})

const endsThere = (error: unknown): undefined => {
  if (error instanceof WireError && (error.reason === "Connection" || error.reason === "Malformed")) return undefined
  throw error
}

/** `body`, which ends where it is cut or can't be decoded any more. */
export const asFarAsItCame = (body: WireBody): WireBody => ({
  read: () => body.read().catch(endsThere),
  cancel: () => body.cancel(),
  onEnd: (f) => body.onEnd(f)
})

/** The whole body if it ends soon (in ms) and small, else the body with nothing missing. */
export const gather = (body: WireBody, soon = patience): Promise<Uint8Array | WireBody> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    let settled = false
    let pending: Promise<Uint8Array | undefined> | undefined
    const settle = () => {
      settled = true
      clearTimeout(timer)
    }
    const giveUp = () => {
      settle()
      resolve(unread(body, chunks, pending))
    }
    const timer = setTimeout(giveUp, soon)
    const step = () => {
      pending = body.read()
      pending.then(
        (chunk) => {
          // `unread` passes this chunk on.
          if (settled) return
          pending = undefined
          if (chunk === undefined) {
            settle()
            resolve(joined(chunks))
          } else {
            chunks.push(chunk)
            size += chunk.byteLength
            if (size > wholeBytes) giveUp()
            else step()
          }
        },
        (error: unknown) => {
          if (settled) return
          settle()
          reject(error)
        }
      )
    }
    step()
  })

/** Reads what little is left, so that the socket can be used again; gives up a body that is large or slow. */
export const discard = async (body: WireBody): Promise<void> => {
  const rest = await gather(body)
  if (!(rest instanceof Uint8Array)) rest.cancel()
}
