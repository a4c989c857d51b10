/**
 * SDKs hold placeholders in place of secrets, for they print what they hold. Here the secrets are put in, on the last
 * step before the wire, and taken out of what providers send back.
 */
import * as Redacted from "effect/Redacted"

/** Stands for a key in SDKs. Our fetch puts the real one in its place, so no SDK object ever holds it. */
export const PLACEHOLDER = "held-by-clientele"

/** Stands for each configured header in SDKs: they print headers, and a header may be a secret as well. */
const HEADER_PLACEHOLDER = "configured-in-clientele"

/**
 * SDKs read header lines from a variable of the process by themselves. The config has read them too, through the
 * fiber's ConfigProvider, which may differ; `null` makes the SDK drop those that are no part of the config.
 */
export const exactHeaders = (
  variable: string | undefined,
  headers: Readonly<Record<string, string>>
): Record<string, string | null> => {
  const all: Record<string, string | null> = {}
  for (const name of Object.keys(headers)) all[name] = HEADER_PLACEHOLDER
  for (const line of (variable === undefined ? undefined : process.env[variable])?.split("\n") ?? []) {
    const name = line
      .slice(0, Math.max(0, line.indexOf(":")))
      .trim()
      .toLowerCase()
    if (name !== "" && headers[name] === undefined) all[name] = null
  }
  return all
}

/** The header of a secret, where that depends on what it is. */
export type Authorize = (name: string, secret: string) => readonly [name: string, value: string]

/** A header of JSON in base64url, which begins so, then claims and signature (RFC 7519). */
const jwt = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/

/** A key goes out as `api-key`, a token of Entra as `Authorization: Bearer`. Tokens are JWTs, which keys never look like. */
export const ofAzure: Authorize = (name, secret) =>
  jwt.test(secret) ? ["authorization", `Bearer ${secret}`] : [name, secret]

/** The headers, with the secret wherever the SDK put a placeholder; a caller's own stay as they are. */
export const fillIn = (
  headers: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string>>,
  secret: Redacted.Redacted,
  authorize: Authorize | undefined
): Record<string, string> => {
  // A copy, since a retry may want another secret.
  const all = { ...headers }
  for (const name in headers) {
    const value = headers[name]!
    if (value === HEADER_PLACEHOLDER) all[name] = configured[name] ?? value
    else if (value.endsWith(PLACEHOLDER)) {
      if (authorize === undefined) all[name] = value.slice(0, -PLACEHOLDER.length) + Redacted.value(secret)
      else {
        delete all[name]
        const [itsName, itsValue] = authorize(name, Redacted.value(secret))
        all[itsName] = itsValue
      }
    }
  }
  return all
}

/** Shorter words are no secrets, but what local servers take for a key: "none", "ollama". They stand in many a text. */
const shortest = 7

/** Headers and parameters whose values are secrets, by their names. */
const secretive = /auth|(?<!idempotency-)key|token|secret|cookie|passw|credential|signature/i

/** Verdicts by name: SDKs send the same dozen with each request. Bounded, since callers may make names up. */
const judged = new Map<string, boolean>()

const isSecretive = (name: string): boolean => {
  let is = judged.get(name)
  if (is === undefined) {
    is = secretive.test(name)
    if (judged.size < 256) judged.set(name, is)
  }
  return is
}

/** Secret values, the longest first: one may be a part of another. */
const hiddenIn = (headers: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const name in headers) {
    if (!isSecretive(name)) continue
    const value = headers[name]!.replace(/^(?:bearer|basic) +/i, "")
    if (value.length >= shortest && value !== PLACEHOLDER && value !== HEADER_PLACEHOLDER) found.push(value)
  }
  return found.sort((a, b) => b.length - a.length)
}

/** The parts of a config that may hold secrets beside its credential. */
interface Configured {
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

/** Secrets in the configured headers and query: Azure's API Management, for one, takes a key in the query. */
export const hiddenOf = ({ headers, query }: Configured): ReadonlyArray<string> =>
  [...hiddenIn(headers), ...hiddenIn(query)].sort((a, b) => b.length - a.length)

/** Adds what a request brings itself: the key that a function gave to the SDK, or that a library sends. */
export const hiddenWith = (
  configured: ReadonlyArray<string>,
  headers: Readonly<Record<string, string>>
): ReadonlyArray<string> => {
  const own = hiddenIn(headers)
  return own.length === 0 ? configured : [...configured, ...own].sort((a, b) => b.length - a.length)
}

/** Spellings of a secret within a text: as it is, within JSON, and within a URL. */
const spellings = (secret: string): ReadonlySet<string> =>
  new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])

/** All texts that `scrub` looks for. */
export const spellingsOf = (secret: Redacted.Redacted, hidden: ReadonlyArray<string>): ReadonlyArray<string> =>
  [Redacted.value(secret), ...hidden].filter(({ length }) => length >= shortest).flatMap((one) => [...spellings(one)])

/** Foreign text without secrets, should the provider repeat them. */
export const scrub = (text: string, secret: Redacted.Redacted, hidden: ReadonlyArray<string>): string => {
  let clean = text
  const key = Redacted.value(secret)
  if (key.length >= shortest) for (const spelt of spellings(key)) clean = clean.replaceAll(spelt, "[key]")
  for (const value of hidden) for (const spelt of spellings(value)) clean = clean.replaceAll(spelt, "[header]")
  return clean
}
