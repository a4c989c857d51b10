/**
 * A journal in a file: a line that names the run, then a line for each finished row. Rows are finished when their record's
 * write has returned, so a crash tears at most the last line, which is cut off when the file is opened again.
 */
import { type FileHandle, open } from "node:fs/promises"
import { extname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { clearInterval, Date, setInterval } from "../../util/timers.ts"
import { BatchError } from "../errors.ts"
import type { AgentIdentity } from "../result.ts"
import { AppendFile } from "./appendFile.ts"
import { changed, differenceOf } from "./change.ts"
import { fileError } from "./fileErrors.ts"
import { eachLine, LineReader } from "./lineReader.ts"
import { acquire, type Lock } from "./lock.ts"
import type { Journal, JournalOptions, JournalStore, RecordHead } from "./model.ts"
import { headOf, MAX_HEAD } from "./record.ts"

const FORMAT = "clientele batch journal"
const VERSION = 1
const BRACE_CLOSES = 0x7d
/** More names than anybody makes by changing a prompt. */
const MAX_RUNS_BESIDE = 10_000

interface Header {
  readonly format: string
  readonly version: number
  readonly at: string
  readonly identity: AgentIdentity
}

const newHeader = (identity: AgentIdentity): Header => ({
  format: FORMAT,
  version: VERSION,
  at: new Date().toISOString(),
  identity
})

const parse = (line: string | undefined): Header | undefined => {
  try {
    const header = JSON.parse(line ?? "") as Header | null
    return header?.format === FORMAT ? header : undefined
  } catch {
    return undefined
  }
}

/** True if it is a part of what every journal begins with: its process ended while it wrote that. */
const isTornHeader = (text: string): boolean => text.startsWith(`{"format":"${FORMAT}`.slice(0, text.length))

const notOurs = (path: string, header: Header | undefined): BatchError => {
  const what = header === undefined ? "no journal of a batch" : `a journal of version ${header.version}`
  return new BatchError({ reason: "Journal", detail: `${path} is ${what}; give another path, it is left as it is` })
}

/** The header of a journal that is there. Throws a BatchError for a file that is none of ours. */
export const readHeader = async (path: string, file: FileHandle): Promise<Header> => {
  const header = parse(await new LineReader(file).lineAt(0))
  if (header?.version !== VERSION) throw notOurs(path, header)
  return header
}

/** The header, written if the file is empty. Throws a BatchError for a file that is none of ours. */
const headerOf = async (path: string, file: FileHandle, identity: AgentIdentity): Promise<Header> => {
  const first = await new LineReader(file).lineAt(0)
  const header = parse(first)
  if (header !== undefined && header.version === VERSION) return header
  const { size } = await file.stat()
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
  const isFresh = size === 0 || (first === undefined && isTornHeader(buffer.toString("latin1", 0, bytesRead)))
  if (isFresh) {
    await file.truncate(0)
    const fresh = newHeader(identity)
    await new AppendFile(file, 0).append([JSON.stringify(fresh)])
    return fresh
  }
  throw notOurs(path, header)
}

/** Visits all records, and returns the end of the last whole line. */
export const scanFile = async (
  file: FileHandle,
  visit: (head: RecordHead, position: number) => void
): Promise<{ readonly end: number; readonly damaged: number }> => {
  let damaged = 0
  const end = await eachLine(file, 0, (bytes, start, end, position) => {
    if (position === 0) return
    const head =
      bytes[end - 1] === BRACE_CLOSES
        ? headOf(bytes.toString("latin1", start, Math.min(end, start + MAX_HEAD)))
        : undefined
    if (head === undefined) damaged++
    else visit(head, position)
  })
  return { end, damaged }
}

class OpenJournal implements JournalStore {
  readonly #path: string
  readonly #file: FileHandle
  readonly #fsync: number | undefined
  readonly #reader: LineReader
  #append: AppendFile | undefined
  /** Failed meanwhile: the lock was lost, or an fsync failed. */
  error: BatchError | undefined

  constructor(path: string, file: FileHandle, fsync: number | undefined) {
    this.#path = path
    this.#file = file
    this.#fsync = fsync
    this.#reader = new LineReader(file)
  }

  readonly scan = (visit: (head: RecordHead, position: number) => void): Effect.Effect<number, BatchError> =>
    this.#attempt("read", async () => {
      const { damaged, end } = await scanFile(this.#file, visit)
      await this.#file.truncate(end)
      this.#append = new AppendFile(this.#file, end)
      return damaged
    })

  readonly append = (lines: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<number>, BatchError> =>
    this.#attempt("write", async () => {
      if (this.error !== undefined) throw this.error
      const positions = await this.#append!.append(lines)
      if (this.#fsync === 0) await this.#append!.sync()
      return positions
    })

  readonly read = (positions: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<string | undefined>, BatchError> =>
    this.#attempt("read", async () => {
      const lines: Array<string | undefined> = []
      for (const position of positions) lines.push(await this.#reader.lineAt(position))
      return lines
    })

  async sync(): Promise<void> {
    try {
      await this.#append?.sync()
    } catch (error) {
      this.error ??= fileError(this.#path, "write", error)
    }
  }

  #attempt<A>(verb: "read" | "write", f: () => Promise<A>): Effect.Effect<A, BatchError> {
    return Effect.tryPromise({ try: f, catch: (error) => fileError(this.#path, verb, error) })
  }
}

interface Opened {
  readonly store: OpenJournal
  readonly close: () => Promise<void>
}

const openAt = async (path: string, identity: AgentIdentity, { fsync, onOpen }: JournalOptions): Promise<Opened> => {
  let store: OpenJournal | undefined
  let lock: Lock | undefined
  let file: FileHandle | undefined
  let timer: NodeJS.Timeout | undefined
  const close = async (): Promise<void> => {
    clearInterval(timer)
    if (fsync !== undefined) await store?.sync()
    await file?.close().catch(() => undefined)
    await lock?.release()
  }
  try {
    lock = await acquire(`${path}.lock`, (error) => {
      if (store !== undefined) store.error ??= error
    })
    // "a+" would make the file, but write at its end whatever the position.
    file = await open(path, "r+").catch(async (error: { readonly code?: string }) => {
      if (error.code !== "ENOENT") throw error
      return await open(path, "wx+")
    })
    const difference = differenceOf((await headerOf(path, file, identity)).identity, identity)
    if (difference.length > 0) throw changed(path, difference)
    const opened = (store = new OpenJournal(path, file, fsync))
    if (fsync !== undefined && fsync > 0) timer = setInterval(() => void opened.sync(), fsync).unref()
    onOpen?.(path)
    return { store: opened, close }
  } catch (error) {
    await close()
    throw fileError(path, "open", error)
  }
}

/** `films.journal.jsonl` becomes `films.journal.2.jsonl`. */
const beside = (path: string, number: number): string => {
  const end = extname(path)
  return number === 1 ? path : `${path.slice(0, path.length - end.length)}.${number}${end}`
}

const openFirst = async (path: string, identity: AgentIdentity, options: JournalOptions): Promise<Opened> => {
  for (let number = 1; ; number++) {
    try {
      return await openAt(beside(path, number), identity, options)
    } catch (error) {
      const isOther = error instanceof BatchError && error.reason === "Changed"
      if (!isOther || options.whenChanged !== "new" || number === MAX_RUNS_BESIDE) throw error
    }
  }
}

export const make = (path: string, options: JournalOptions = {}): Journal => ({
  open: (identity): Effect.Effect<JournalStore, BatchError, Scope.Scope> =>
    Effect.map(
      Effect.acquireRelease(
        Effect.tryPromise({
          try: () => openFirst(path, identity, options),
          catch: (error) => fileError(path, "open", error)
        }),
        ({ close }) => Effect.promise(close)
      ),
      ({ store }) => store
    )
})
