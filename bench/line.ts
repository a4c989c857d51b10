/** The package that is measured: that for Effect 3 or that for Effect 4. */
import { AsyncLocalStorage } from "node:async_hooks"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

export type Line = 3 | 4

/** Benches of both lines run at the same time and start processes in turn, so each process must know for which line it is. */
const current = new AsyncLocalStorage<Line>()

export const onLine = <A>(line: Line, run: () => Promise<A>): Promise<A> => current.run(line, run)

/** The line of the bench that calls. @default 3 */
export const currentLine = (): Line => current.getStore() ?? 3

/** Derived sources and their build, made by `npm run build`. */
const DERIVED = new URL("../effect4/build/", import.meta.url)

/** Path of a file of this folder in the line that is measured. */
export const pathOf = (file: string): string =>
  fileURLToPath(currentLine() === 4 ? new URL(`bench/${file}`, DERIVED) : new URL(file, import.meta.url))

/** False for a file that needs modules which the line lacks. */
export const has = (file: string): boolean => existsSync(pathOf(file))
