/**
 * The file of results: a projection of the journal, written anew by each run. Its old content stays until the first result, so
 * that a run that is refused destroys nothing.
 */
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, write } from "node:fs"
import { dirname } from "node:path"
import { clearTimeout, setTimeout } from "../../internal/util/timers.ts"
import { CommandError, EXIT, ioReason, UsageError } from "../exit.ts"
import { STDIN } from "../input/bytes.ts"

/** Buffered text at which it is written. */
const BUFFER_CHARACTERS = 1 << 16

/** Longest time that a result stays in the buffer. */
const FLUSH_INTERVAL_MS = 200

const STDOUT_DESCRIPTOR = 1

export interface ResultFileOptions {
  readonly file: string
  readonly header: string
  /** True if an existing file may be replaced: it is of this run, or the user said so. */
  readonly mayReplace: boolean
}

export class ResultFile {
  readonly #file: string
  readonly #header: string
  readonly #descriptor: number
  #buffer = ""
  #hasBegun = false
  #timer: NodeJS.Timeout | undefined
  /** The write under way, and those asked for after it. */
  #writing: Promise<void> = Promise.resolve()
  #failure: CommandError | undefined

  private constructor(file: string, header: string, descriptor: number) {
    this.#file = file
    this.#header = header
    this.#descriptor = descriptor
  }

  /** Fails at once for a file that can't be written. */
  static open({ file, header, mayReplace }: ResultFileOptions): ResultFile {
    if (file === STDIN) return new ResultFile("standard output", header, STDOUT_DESCRIPTOR)
    if (!mayReplace && existsSync(file)) {
      throw new UsageError(`${file} exists and is not of this run; choose another --out, or add --overwrite`)
    }
    try {
      mkdirSync(dirname(file), { recursive: true })
      return new ResultFile(file, header, openSync(file, "a"))
    } catch (error) {
      throw new CommandError(`can't write ${file}: ${ioReason(error)}`, EXIT.io)
    }
  }

  /** Resolves at once, unless the buffer is full: then once it is written. */
  async write(lines: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#begin()
    this.#buffer += lines
    if (this.#buffer.length >= BUFFER_CHARACTERS) return this.#flush()
    this.#timer ??= setTimeout(() => void this.#flush().catch(() => {}), FLUSH_INTERVAL_MS)
  }

  /** Writes what is left, and fails if any of it could not be written. A run without a result leaves the header alone. */
  async close(): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure
      this.#begin()
      await this.#flush()
    } finally {
      clearTimeout(this.#timer)
      if (this.#descriptor !== STDOUT_DESCRIPTOR) closeSync(this.#descriptor)
    }
  }

  /** Closes a file of which nothing was to be written. */
  abandon(): void {
    clearTimeout(this.#timer)
    if (this.#descriptor !== STDOUT_DESCRIPTOR) closeSync(this.#descriptor)
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#buffer = this.#header
    try {
      if (this.#descriptor !== STDOUT_DESCRIPTOR) ftruncateSync(this.#descriptor)
    } catch (error) {
      // A pipe or device has no length.
      if (!(error instanceof Error && "code" in error && error.code === "EINVAL")) this.#fail(error)
    }
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = this.#buffer
    this.#buffer = ""
    if (text === "") return this.#writing
    this.#writing = this.#writing.then(() => this.#writeAll(Buffer.from(text)))
    return this.#writing
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await writeSome(this.#descriptor, bytes, at)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): never {
    const remedy = "what is finished is in the journal, if there is one; run again to go on"
    this.#failure ??= new CommandError(`can't write ${this.#file}: ${ioReason(error)}; ${remedy}`, EXIT.io)
    throw this.#failure
  }
}

/** Pipes that are full (`EAGAIN`) are tried again. */
const PIPE_RETRY_MS = 10

const writeSome = (descriptor: number, bytes: Buffer, at: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const attempt = () =>
      write(descriptor, bytes, at, bytes.length - at, null, (error, written) => {
        if (error === null) resolve(written)
        else if (error.code === "EAGAIN") setTimeout(attempt, PIPE_RETRY_MS)
        else reject(error)
      })
    attempt()
  })
