/** A request's body as text. */
import type { Exchange } from "./exchange.ts"

export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** Calls back with undefined if it is too large, and never if it never ends. */
export const collect = (exchange: Exchange, done: (body: string | undefined) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  exchange.body.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  })
  exchange.body.on("end", () => {
    if (size > MAX_BODY_BYTES) return done(undefined)
    const only = chunks[0]
    done(only === undefined ? "" : (chunks.length === 1 ? only : Buffer.concat(chunks)).toString())
  })
  exchange.body.on("error", () => {})
}
