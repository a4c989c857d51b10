/** Reads a file or standard input as UTF-8 without its byte order mark: decompressed, converted, and checked. */
import { isUtf8 } from "node:buffer"
import { createReadStream, type ReadStream, type Stats } from "node:fs"
import { stat } from "node:fs/promises"
import { Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import { CommandError, EXIT, ioReason, UsageError } from "../exit.ts"

/** Standard input, as a name of a file. */
export const STDIN = "-"

export interface Bytes {
  readonly chunks: AsyncIterable<Buffer>
  /** Bytes of the file; `undefined` for standard input and pipes. */
  readonly size: number | undefined
  /** Bytes of it that have been read. */
  readonly position: () => number
}

export interface ByteOptions {
  /** A label of the Encoding Standard. @default "utf-8", or UTF-16 if a byte order mark tells so */
  readonly encoding?: string | undefined
  /** @default process.stdin */
  readonly stdin?: Readable | undefined
}

/** The name of a source in messages. */
export const sourceName = (file: string): string => (file === STDIN ? "standard input" : file)

const CHUNK_BYTES = 1 << 18

/** Opens the source at once, so that a file that can't be read is an error before anything else happens. */
export const openBytes = async (file: string, options: ByteOptions = {}): Promise<Bytes> => {
  const { encoding } = options
  if (encoding !== undefined) decoderOf(encoding)
  if (file === STDIN) {
    const stdin = options.stdin ?? process.stdin
    return textBytes(file, stdin, undefined, encoding)
  }
  const before = await stat(file).catch((error: unknown) => unreadable(file, error))
  if (before.isDirectory()) throw new UsageError(`can't read ${file}: it is a folder`)
  const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES })
  await opened(file, stream)
  const size = before.isFile() ? before.size : undefined
  return textBytes(file, unchanged(file, stream, before), size, encoding)
}

const unreadable = (file: string, error: unknown): never => {
  throw new UsageError(`can't read ${file}: ${ioReason(error)}`)
}

const opened = (file: string, stream: ReadStream): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.once("open", () => resolve())
    stream.once("error", (error) => reject(new UsageError(`can't read ${file}: ${ioReason(error)}`)))
  })

/** Fails after the last byte if the file is not the one that was opened: a row may have been cut in two. */
async function* unchanged(file: string, stream: ReadStream, before: Stats): AsyncGenerator<Buffer> {
  yield* stream as AsyncIterable<Buffer>
  if (!before.isFile()) return
  const after = await stat(file).catch(() => undefined)
  if (after?.size === before.size && after.mtimeMs === before.mtimeMs && after.ino === before.ino) return
  const remedy = "run the same command again, which keeps the finished rows"
  throw new CommandError(`${file} was changed while it was read; ${remedy}`, EXIT.io)
}

const textBytes = (
  file: string,
  source: AsyncIterable<Buffer>,
  size: number | undefined,
  encoding: string | undefined
): Bytes => {
  let position = 0
  async function* counted(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of source) {
        position += chunk.length
        yield chunk
      }
    } catch (error) {
      if (error instanceof CommandError) throw error
      throw new CommandError(`can't read ${sourceName(file)}: ${ioReason(error)}`, EXIT.io)
    }
  }
  return {
    chunks: decoded(sourceName(file), decompressed(sourceName(file), counted()), encoding),
    size,
    position: () => position
  }
}

/** Joins chunks until `least` bytes are there, if there are as many. */
async function* withHead(chunks: AsyncIterable<Buffer>, least: number): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of chunks) {
    if (head === undefined) yield chunk
    else {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      if (head.length < least) continue
      yield head
      head = undefined
    }
  }
  if (head !== undefined && head.length > 0) yield head
}

/** By its first two bytes (RFC 1952), whatever the name. */
const isGzip = (chunk: Buffer): boolean => chunk[0] === 0x1f && chunk[1] === 0x8b

async function* decompressed(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = withHead(chunks, 4)
  const first = await source.next()
  if (first.done === true) return
  async function* all(): AsyncGenerator<Buffer> {
    yield first.value as Buffer
    yield* source
  }
  if (!isGzip(first.value)) return yield* all()
  const compressed = Readable.from(all())
  const plain = createGunzip({ chunkSize: CHUNK_BYTES })
  compressed.on("error", (error) => plain.destroy(error))
  try {
    yield* compressed.pipe(plain) as AsyncIterable<Buffer>
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`can't decompress ${name}: ${ioReason(error)}; the gzip file is damaged or cut off`, EXIT.io)
  } finally {
    compressed.destroy()
    plain.destroy()
  }
}

const decoderOf = (encoding: string): InstanceType<typeof TextDecoder> => {
  try {
    return new TextDecoder(encoding, { fatal: true })
  } catch {
    const expected = "expected a name such as utf-8, utf-16le, windows-1252 or shift_jis"
    throw new UsageError(`--encoding is ${JSON.stringify(encoding)}; ${expected}`)
  }
}

const markedEncoding = (head: Buffer): string | undefined =>
  head[0] === 0xff && head[1] === 0xfe ? "utf-16le" : head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : undefined

const isUtf8Name = (encoding: string): boolean => /^utf-?8$/i.test(encoding)

async function* decoded(
  name: string,
  chunks: AsyncIterable<Buffer>,
  asked: string | undefined
): AsyncGenerator<Buffer> {
  const first = await chunks[Symbol.asyncIterator]().next()
  if (first.done === true) return
  const encoding = asked ?? markedEncoding(first.value) ?? "utf-8"
  async function* all(): AsyncGenerator<Buffer> {
    yield first.value as Buffer
    yield* chunks
  }
  yield* isUtf8Name(encoding) ? checked(name, all()) : converted(name, all(), encoding)
}

async function* converted(name: string, chunks: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  const decoder = decoderOf(encoding)
  try {
    for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }))
    yield Buffer.from(decoder.decode())
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new CommandError(`${name} is not ${encoding}; name its encoding with --encoding`, EXIT.io)
  }
}

/** Bytes of a last character that is not whole yet (RFC 3629). */
const cutOff = (bytes: Buffer): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}

const hasMark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf

/** Chunks end between two characters. */
async function* checked(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  let isFirst = true
  const invalid = () =>
    new CommandError(`${name} is not UTF-8; name its encoding, for instance --encoding windows-1252`, EXIT.io)
  for await (const chunk of chunks) {
    let bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const cut = cutOff(bytes)
    rest = bytes.subarray(bytes.length - cut)
    bytes = bytes.subarray(0, bytes.length - cut)
    if (!isUtf8(bytes)) throw invalid()
    if (isFirst && hasMark(bytes)) bytes = bytes.subarray(3)
    isFirst = false
    if (bytes.length > 0) yield bytes
  }
  if (rest.length > 0) throw invalid()
}
