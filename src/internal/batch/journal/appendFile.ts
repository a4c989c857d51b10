/** A file that is only appended to, by one process. Failed writes leave no part of a line behind, if that can be helped. */
import type { FileHandle } from "node:fs/promises"

export class AppendFile {
  readonly #file: FileHandle
  #size: number
  #isDirty = false

  /** `size` is where the next line begins: the file's end, or the end of its last whole line. */
  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  /** Appends lines and returns their positions. Rejects with the file system's error; then none of them is there. */
  async append(lines: ReadonlyArray<string>): Promise<ReadonlyArray<number>> {
    const bytes = Buffer.from(`${lines.join("\n")}\n`)
    const start = this.#size
    try {
      let written = 0
      while (written < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, start + written)
        written += bytesWritten
      }
    } catch (error) {
      await this.#file.truncate(start).catch(() => undefined)
      throw error
    }
    this.#isDirty = true
    this.#size = start + bytes.length
    let position = start
    return lines.map((line) => {
      const at = position
      position += Buffer.byteLength(line) + 1
      return at
    })
  }

  /** Waits until what was appended is on the disk. */
  async sync(): Promise<void> {
    if (!this.#isDirty) return
    this.#isDirty = false
    await this.#file.datasync()
  }
}
