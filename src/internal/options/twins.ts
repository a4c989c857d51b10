/**
 * Errors of options for callers that catch by the SDK's classes: an instance of the SDK's base class with the fields of
 * our own error, which counts as an instance of that as well.
 */
import type { OptionsError } from "../../ClientError.ts"

const twins = new WeakSet<WeakKey>()

/** An SDK's classes, as far as they are there. */
interface Sdk {
  readonly APIError?: unknown
}

export const isTwin = (u: unknown): boolean => typeof u === "object" && u !== null && twins.has(u)

/** Base class of an SDK's errors: OpenAIError, GroqError, CerebrasError. `undefined` for a mock that has none. */
const baseOf = ({ APIError }: Sdk): (new (message: string) => Error) | undefined => {
  const base: unknown = typeof APIError === "function" ? Object.getPrototypeOf(APIError) : undefined
  return typeof base === "function" && base.prototype instanceof Error
    ? (base as new (message: string) => Error)
    : undefined
}

export const twinOf = (sdk: Sdk, error: OptionsError): Error => {
  const Base = isTwin(error) ? undefined : baseOf(sdk)
  if (Base === undefined) return error
  const { _tag, expected, field, message, name, provider, received, stack } = error
  const twin = Object.assign(new Base(message), { _tag, provider, field, received, expected })
  for (const [key, value] of Object.entries({ name, stack })) {
    Object.defineProperty(twin, key, { value, writable: true, configurable: true })
  }
  twins.add(twin)
  return twin
}
