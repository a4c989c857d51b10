/**
 * Content codings undone while the body flows: what has come so far is handed on at once, so that a compressed event
 * stream stays a stream. A body that ends too early is an error, never a short answer.
 */
import { Readable, pipeline, type Transform } from "node:stream"
import * as zlib from "node:zlib"

import { WireError } from "../wire/errors.ts"
import type { WireBody } from "./types.ts"

export type Coding = "gzip" | "deflate" | "br" | "zstd"

/** More than servers ever stack; each layer multiplies what a small body can grow to. */
const maxCodings = 5

const codingOf = (name: string): Coding | "identity" | undefined => {
  switch (name) {
    case "gzip":
    case "x-gzip":
      return "gzip"
    case "deflate":
    case "br":
    case "identity":
      return name
    case "zstd":
      // Node 22.15 brought it; an embedder's zlib may lack it.
      return "createZstdDecompress" in zlib ? "zstd" : undefined
    default:
      return undefined
  }
}

/** In the order in which to undo them. `undefined` if one is unknown, or if there are too many. */
export const codingsOf = (header: string): ReadonlyArray<Coding> | undefined => {
  const codings: Array<Coding> = []
  for (const part of header.toLowerCase().split(",")) {
    const coding = codingOf(part.trim())
    if (coding === undefined) return undefined
    if (coding !== "identity") codings.unshift(coding)
  }
  return codings.length > maxCodings ? undefined : codings
}

/** `deflate` means zlib's format, but servers send the bare one too; the first byte distinguishes them. */
const decoder = (coding: Coding, first: Uint8Array | undefined): Transform => {
  const { BROTLI_OPERATION_FLUSH, ZSTD_e_flush, Z_SYNC_FLUSH } = zlib.constants
  switch (coding) {
    case "gzip":
      return zlib.createGunzip({ flush: Z_SYNC_FLUSH })
    case "deflate":
      return first === undefined || (first[0]! & 0x0f) === 8
        ? zlib.createInflate({ flush: Z_SYNC_FLUSH })
        : zlib.createInflateRaw({ flush: Z_SYNC_FLUSH })
    case "br":
      return zlib.createBrotliDecompress({ flush: BROTLI_OPERATION_FLUSH })
    case "zstd":
      return zlib.createZstdDecompress({ flush: ZSTD_e_flush })
  }
}

/** Beyond this many bytes a body is no longer decoded in one go: it would block all other requests. */
const wholeOutput = 1024 * 1024

/** `coding` is an unknown one, or the header with more of them than are undone. */
export const undecodable = (coding: string, cause?: unknown): WireError =>
  new WireError("Malformed", "yes", `the response's ${coding.slice(0, 100)} body can't be decoded`, cause)

const decodeWhole = (coding: Coding, bytes: Uint8Array): Uint8Array => {
  const options = { maxOutputLength: wholeOutput }
  switch (coding) {
    case "gzip":
      return zlib.gunzipSync(bytes, options)
    case "deflate":
      return (bytes[0]! & 0x0f) === 8 ? zlib.inflateSync(bytes, options) : zlib.inflateRawSync(bytes, options)
    case "br":
      return zlib.brotliDecompressSync(bytes, options)
    case "zstd":
      return zlib.zstdDecompressSync(bytes, options)
  }
}

/** A whole body with its codings undone, `undefined` if it grows too large for that. */
export const inflateWhole = (bytes: Uint8Array, codings: ReadonlyArray<Coding>): Uint8Array | undefined => {
  // Servers label empty bodies too.
  if (bytes.byteLength === 0) return bytes
  try {
    return codings.reduce((bytes, coding) => decodeWhole(coding, bytes), bytes)
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") return undefined
    throw undecodable(codings.join(", "), error)
  }
}

async function* chunksOf(first: Uint8Array, body: WireBody): AsyncGenerator<Uint8Array> {
  yield first
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) yield chunk
}

/** `body` with its codings undone. Nothing is read, and no decoder made, before the first `read`. */
export const inflate = (body: WireBody, codings: ReadonlyArray<Coding>): WireBody => {
  let output: AsyncIterator<Uint8Array> | undefined
  let source: Readable | undefined
  let cancelled = false

  const start = async (): Promise<AsyncIterator<Uint8Array> | undefined> => {
    let first = await body.read()
    while (first !== undefined && first.byteLength === 0) first = await body.read()
    // Without a byte there is nothing to undo: servers label empty bodies too.
    if (first === undefined) return undefined
    const decoders = codings.map((coding, index) => decoder(coding, index === 0 ? first : undefined))
    source = Readable.from(chunksOf(first, body), { objectMode: true, highWaterMark: 1 })
    // Destroys the others when one fails; the failure itself comes out of the last one's iterator.
    const last = decoders.reduce((stream: Readable, next) => pipeline(stream, next, () => {}), source)
    return last[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  }

  return {
    read: async () => {
      try {
        output ??= await start()
        if (output === undefined) return undefined
        const { done, value } = await output.next()
        return done === true ? undefined : value
      } catch (error) {
        body.cancel()
        if (error instanceof WireError) throw error
        if (cancelled) throw new WireError("Aborted", "yes", "the response body was cancelled", error)
        throw undecodable(codings.join(", "), error)
      }
    },
    cancel: () => {
      cancelled = true
      body.cancel()
      source?.destroy()
    },
    onEnd: (f) => body.onEnd(f)
  }
}
