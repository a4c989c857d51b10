/**
 * Tells an answer that is no JSON from a caller's own `JSON.parse` that failed: both are a bare SyntaxError. What tells
 * is who called `JSON.parse`: an SDK, or a response's own `json()`.
 */
import { fileURLToPath } from "node:url"

/** Folders of packages whose code has called our fetch: SDKs. */
const sdks = new Set<string>()

const own = fileURLToPath(new URL("..", import.meta.url))
const ownFetch = fileURLToPath(new URL("./fetch/", import.meta.url))

/** The files of a stack, the innermost first; `<anonymous>` for what is built in. */
const filesOf = (error: Error): ReadonlyArray<string> => {
  if (typeof error.stack !== "string") return []
  const lines = error.stack.split("\n").filter((line) => /^\s+at /.test(line))
  return lines.map((line) => /(?:\(|\bat (?:async )?)(?:file:\/\/)?([^(]+?)(?::\d+:\d+)?\)?$/.exec(line)?.[1] ?? "")
}

/** The package that a file is in; in a bundle nothing says so. */
const packageOf = (file: string): string | undefined =>
  /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+[\\/]/.exec(file)?.[0]

/** Remembers who calls: to be called in the same turn as our fetch. False if that can't be seen. */
export const noteCaller = (): boolean => {
  const caller = filesOf(new Error()).find((file) => !file.startsWith(own))
  const sdk = caller === undefined ? undefined : packageOf(caller)
  if (sdk !== undefined) sdks.add(sdk)
  return sdk !== undefined
}

/** Whether this is the provider's JSON that could not be parsed. */
export const isMalformedAnswer = (thrown: unknown): thrown is SyntaxError => {
  if (!(thrown instanceof SyntaxError)) return false
  // Thrown by JSON.parse, or, as openai 7 does for events, in its place.
  const [first, second] = filesOf(thrown)
  const parser = first === "<anonymous>" ? second : first
  if (parser === undefined) return false
  // The platform's responses parse in node:internal/deps/undici, and those that were read by us in our own fetch.
  if (parser.startsWith("node:internal/") || parser.startsWith(ownFetch)) return true
  const sdk = packageOf(parser)
  return sdk !== undefined && sdks.has(sdk)
}
