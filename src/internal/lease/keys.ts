/**
 * Finds keys that are equal to other keys, whatever is in them. Effect 4 compares objects by what it sees of them, and sees
 * nothing of a `Headers`, a promise or an object with private fields alone: two tenants' would share a value. Effect 3
 * compares such objects by reference.
 */
import * as Equal from "effect/Equal"

/** True if the object equals one of its class that was never constructed. */
const equalsEmpty = (key: object): boolean => {
  try {
    return Equal.equals(key, Object.create(Object.getPrototypeOf(key) as object))
  } catch {
    // A getter of the class needs what a constructor makes: Effect 4 has looked into the object.
    return true
  }
}

const isPlain = (key: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(key)
  return prototype === null || prototype === Object.prototype || Array.isArray(key)
}

/** Compared by their content. */
const contentOf = (key: object): Iterable<unknown> | undefined => {
  if (key instanceof Map) return [...key].flat()
  if (key instanceof Set) return key
  return key instanceof Date || key instanceof RegExp || key instanceof ArrayBuffer || ArrayBuffer.isView(key)
    ? []
    : undefined
}

/** The first part of a key that could be anything of its class to Effect; `undefined` for a key that is safe. */
const opaquePartOf = (key: unknown, seen: Set<object> = new Set()): object | undefined => {
  if (typeof key !== "object" || key === null || Equal.isEqual(key) || seen.has(key)) return undefined
  seen.add(key)
  const names = Reflect.ownKeys(key)
  const content = contentOf(key)
  if (names.length === 0 && content === undefined && !isPlain(key) && equalsEmpty(key)) return key
  for (const part of content ?? names.map((name) => (key as Record<PropertyKey, unknown>)[name])) {
    const opaque = opaquePartOf(part, seen)
    if (opaque !== undefined) return opaque
  }
  return undefined
}

/** Throws for a key that could be mistaken for another. */
export const refuseOpaque = (map: string, key: unknown): void => {
  const opaque = opaquePartOf(key)
  if (opaque === undefined) return
  const name = opaque.constructor.name
  throw new TypeError(
    `${map}: a key has a ${name} in it, and Effect sees no difference between one ${name} and another; ` +
      `use a string, a number or a plain object of such, or define Equal and Hash`
  )
}
