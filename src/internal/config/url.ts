import { type At, describe, invalid } from "../options/validate.ts"

const expected = "an http or https URL like https://host/path, without user, password or query"

/** One spelling for each address. Errors never quote the text: it may hold a password, or be a key by mistake. */
export const address = (at: At, input: unknown): string => {
  const url = parse(at, input)
  if (url.username !== "" || url.password !== "") throw invalid(at, "a URL with a user or password", expected)
  if (url.search !== "") throw invalid(at, "a URL with a query", `${expected}; the option query takes parameters`)
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`
}

/** A proxy's address: may have user and password, and nothing behind the port. */
export const proxyAddress = (at: At, input: unknown): string => {
  const url = parse(at, input)
  if (url.search !== "" || url.pathname !== "/") throw invalid(at, "a URL with a path or query", "http://host:port")
  if (!isDecodable(url.username) || !isDecodable(url.password))
    throw invalid(at, "a URL whose user or password has an invalid percent-encoding", "% written as %25")
  const colon = url.password === "" ? "" : ":"
  const user = url.username === "" && colon === "" ? "" : `${url.username}${colon}${url.password}@`
  return `${url.protocol}//${user}${url.host}`
}

const isDecodable = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const parse = (at: At, input: unknown): URL => {
  if (typeof input !== "string") throw invalid(at, describe(input), expected)
  const trimmed = input.trim()
  // URL drops line breaks and tabs and forgives a missing slash; what it would guess is refused.
  // oxlint-disable-next-line no-control-regex
  if (!/^https?:\/\/[^/\\]/i.test(trimmed) || /[\x00-\x20\x7f]/.test(trimmed)) {
    throw invalid(at, trimmed === "" ? "empty" : `${describe(input)} that is not such a URL`, expected)
  }
  try {
    return new URL(trimmed)
  } catch {
    throw invalid(at, `${describe(input)} that is not such a URL`, expected)
  }
}
