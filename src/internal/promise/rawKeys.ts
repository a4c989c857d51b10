/** Entries by cheap keys of options as they were given, which need not be read again. */
import type { Entry } from "./objectEntry.ts"

/** So many spellings of one meaning are remembered. */
const MAX_KEYS = 8

export class RawKeys {
  readonly #byKind = new Map<unknown, Map<string, Entry>>()

  /** `raw` is `undefined` for options without a key. */
  find(kind: unknown, raw: string | undefined): Entry | undefined {
    return raw === undefined ? undefined : this.#byKind.get(kind)?.get(raw)
  }

  remember(entry: Entry, raw: string | undefined): void {
    if (raw === undefined) return
    let raws = this.#byKind.get(entry.kind)
    if (raws === undefined) this.#byKind.set(entry.kind, (raws = new Map()))
    raws.set(raw, entry)
    entry.raws.push(raw)
    if (entry.raws.length > MAX_KEYS) this.#forgetKey(entry, entry.raws.shift()!)
  }

  forget(entry: Entry): void {
    for (const raw of entry.raws) this.#forgetKey(entry, raw)
  }

  clear(): void {
    this.#byKind.clear()
  }

  #forgetKey(entry: Entry, raw: string): void {
    const raws = this.#byKind.get(entry.kind)
    if (raws?.get(raw) !== entry) return
    raws.delete(raw)
    if (raws.size === 0) this.#byKind.delete(entry.kind)
  }
}
