/** The credential that a request brings along. */

/** Headers of credentials: OpenAI's and most others', Anthropic's, Azure's, Google's. */
export const carriers: ReadonlyArray<string> = ["authorization", "x-api-key", "api-key", "x-goog-api-key"]

/** No text of a provider holds it, so that scrubbing it takes nothing away. */
const NOBODY = "held-by-nobody-in-clientele"

/** As it stands in its header, and the same word for all requests that have none. */
export const credentialOf = (headers: Headers): string => {
  for (const name of carriers) {
    const value = headers.get(name)
    if (value !== null) return value
  }
  return NOBODY
}
