/**
 * A cache in a directory. Each process that adds to it appends to a file of its own, so processes share it without a lock;
 * what others add meanwhile is seen by the next to open it. In memory are 20 to 31 bytes for each answer.
 */
import { randomUUID } from "node:crypto"
import { type FileHandle, mkdir, open, readdir } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { BatchError } from "../errors.ts"
import { AppendFile } from "../journal/appendFile.ts"
import { fileError } from "../journal/fileErrors.ts"
import { eachLine, LineReader } from "../journal/lineReader.ts"
import type { Cache, CacheStore } from "../journal/model.ts"
import { RecordWriter } from "../journal/recordWriter.ts"
import { hashOfId } from "../rows/rowIdentity.ts"
import { RowIndex } from "../rows/rowIndex.ts"

/** `{"key":"`, 16 characters, `","answer":`. */
const KEY = /^\{"key":"([\w-]{16})","answer":/
const MAX_HEAD = 40
/** Files kept open for reading; each run that adds something makes one. */
const MAX_OPEN_FILES = 64

interface Segment {
  readonly path: string
  /** Position of its first byte among all. */
  readonly base: number
}

class OpenCache implements CacheStore {
  readonly #directory: string
  readonly #index = new RowIndex(false)
  readonly #segments: Array<Segment> = []
  readonly #files = new Map<string, Promise<FileHandle>>()
  readonly #writer: RecordWriter
  #end = 0
  #own: Promise<{ readonly file: FileHandle; readonly append: AppendFile; readonly base: number }> | undefined

  constructor(directory: string) {
    this.#directory = directory
    const append = (lines: ReadonlyArray<string>) =>
      Effect.tryPromise({
        try: () => this.#append(lines),
        catch: (error) => fileError(directory, "write", error)
      })
    // Answers that can't be written are asked for again: the run is none the worse.
    this.#writer = new RecordWriter({ append }, () => undefined)
  }

  async load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith(".jsonl")).sort()
    for (const name of names) await this.#scan(join(this.#directory, name))
  }

  readonly get = (key: string): Effect.Effect<string | undefined, BatchError> => {
    const entry = this.#index.find(hashOfId(key))
    if (entry === undefined) return Effect.succeed(undefined)
    const position = this.#index.positionOf(entry)
    return Effect.tryPromise({
      try: () => this.#read(key, position),
      catch: (error) => fileError(this.#directory, "read", error)
    })
  }

  readonly put = (key: string, answer: string): void => {
    this.#writer.add(`{"key":"${key}","answer":${answer}}`, (position) =>
      this.#index.record(hashOfId(key), undefined, position)
    )
  }

  async close(): Promise<void> {
    await this.#writer.flush()
    const own = await this.#own?.catch(() => undefined)
    const files = await Promise.allSettled(this.#files.values())
    const open = files.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
    await Promise.allSettled([...open, ...(own === undefined ? [] : [own.file])].map((file) => file.close()))
  }

  async #scan(path: string): Promise<void> {
    const base = this.#end
    const file = await open(path, "r")
    try {
      const end = await eachLine(file, 0, (bytes, start, end, position) => {
        const key = KEY.exec(bytes.toString("latin1", start, Math.min(end, start + MAX_HEAD)))?.[1]
        if (key !== undefined) this.#index.record(hashOfId(key), undefined, base + position)
      })
      this.#segments.push({ path, base })
      this.#end += end
    } finally {
      await file.close()
    }
  }

  async #read(key: string, position: number): Promise<string | undefined> {
    const segment = this.#segments.findLast(({ base }) => base <= position)
    if (segment === undefined) return undefined
    // A reader of its own: rows ask at the same time.
    const line = await new LineReader(await this.#fileOf(segment.path)).lineAt(position - segment.base)
    const head = `{"key":"${key}","answer":`
    return line?.startsWith(head) === true && line.endsWith("}") ? line.slice(head.length, -1) : undefined
  }

  #fileOf(path: string): Promise<FileHandle> {
    let file = this.#files.get(path)
    if (file === undefined) {
      if (this.#files.size >= MAX_OPEN_FILES) this.#closeOldest()
      file = open(path, "r")
      this.#files.set(path, file)
    }
    return file
  }

  #closeOldest(): void {
    const [path, file] = this.#files.entries().next().value!
    this.#files.delete(path)
    file.then((file) => file.close()).catch(() => undefined)
  }

  async #append(lines: ReadonlyArray<string>): Promise<ReadonlyArray<number>> {
    const { append, base } = await (this.#own ??= this.#openOwn())
    return (await append.append(lines)).map((position) => base + position)
  }

  async #openOwn() {
    // Names sort by time, so that of two answers to one request the later counts.
    const path = join(this.#directory, `${new Date().toISOString().replaceAll(":", "")}-${randomUUID()}.jsonl`)
    const file = await open(path, "wx")
    const base = this.#end
    this.#segments.push({ path, base })
    return { file, append: new AppendFile(file, 0), base }
  }
}

const load = (directory: string): Effect.Effect<OpenCache, BatchError> =>
  Effect.tryPromise({
    try: async () => {
      const cache = new OpenCache(directory)
      await cache.load()
      return cache
    },
    catch: (error) => fileError(directory, "open", error)
  })

export const make = (directory: string): Cache => ({
  open: Effect.acquireRelease(load(directory), (cache) => Effect.promise(() => cache.close()))
})
