/** Redacts secrets and escapes control characters in errors made of a provider's text: each message is one line. */
import { oneLine } from "./escapeControl.ts"

/** Errors with bodies in them are about four deep; what has a ring has no end. */
const deepest = 6

const isData = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value) || value instanceof Error) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** In place: the thrower holds it already. Read-only properties stay as they are. */
export const cleanError = (thrown: unknown, scrub: (text: string) => string, depth = 0): void => {
  if (!isData(thrown) || depth > deepest) return
  const write = (name: string, value: string): void => {
    if (value !== thrown[name]) Reflect.set(thrown, name, value)
  }
  if (thrown instanceof Error) {
    const { message, stack } = thrown
    const clean = oneLine(scrub(message))
    write("message", clean)
    if (typeof stack === "string") write("stack", scrub(stack.replace(message, () => clean)))
  }
  for (const name of Object.getOwnPropertyNames(thrown)) {
    const value = thrown[name]
    if (typeof value !== "string") cleanError(value, scrub, depth + 1)
    else if (name !== "stack") write(name, name === "message" ? oneLine(scrub(value)) : scrub(value))
  }
}
