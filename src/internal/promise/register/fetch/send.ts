/**
 * A request of the global `fetch` through the pool, with what callers of `fetch` expect: one attempt, redirects by the
 * standard, a `TypeError` for what fails. Requests with the same credential are one client, with one budget, which
 * clients of SDKs with that credential share.
 */
import { PoolError, RequestError } from "../../../../ClientError.ts"
import type { FetchOptions } from "../../../../Promise.ts"
import { ATTEMPTS, DENIED } from "../../../request/errors/fromSdk.ts"
import { credentialOf } from "../../../http/credential.ts"
import { OWN, type Own } from "../../../request/pooledFetch.ts"
import { fetchOf } from "../../fetches.ts"
import { defaultSet } from "../../set.ts"
import { answerOf } from "../../unsent.ts"
import * as Origins from "../origins.ts"
import * as Report from "../report.ts"
import { failed, follow, type Hop } from "./follow.ts"
import { unpack } from "./unpack.ts"

type Fetch = typeof globalThis.fetch

/** Milliseconds to the response's headers: as long as undici's `headersTimeout`. */
const TIMEOUT_MS = 300_000

/** Stands for a version where a URL of Azure's has none. */
const AZURE_VERSION = "v1"

const optionsOf = ({ baseURL, provider }: Origins.Known, { headers, url }: Hop): FetchOptions => {
  const apiKey = credentialOf(headers).replace(/^Bearer +/i, "")
  const common = { provider, apiKey, timeout: TIMEOUT_MS, maxRetries: 0 }
  const account = {
    organization: headers.get("openai-organization") || null,
    project: headers.get("openai-project") || null
  }
  if (provider === "openai") return { ...common, ...account, baseURL }
  if (provider !== "azure") return { ...common, baseURL }
  const apiVersion = url.searchParams.get("api-version") ?? AZURE_VERSION
  return { ...common, ...account, endpoint: baseURL, apiVersion }
}

/** A body that breaks off, in the words of Node's own `fetch`. */
const own: Own = { told: (cause) => new TypeError("terminated", { cause }) }

/** Headers for SDKs whose retries are the pool's. These callers have their own. */
const ours = [ATTEMPTS, DENIED, "x-should-retry"]

const theirs = (response: Response): Response => {
  if (response.status >= 300) for (const name of ours) response.headers.delete(name)
  return response
}

const unsent = (error: unknown): Response | undefined => {
  const answer = error instanceof PoolError || error instanceof RequestError ? answerOf(error) : undefined
  return answer && Response.json({ error: answer.error }, { status: answer.status, headers: answer.headers })
}

const through = async (known: Origins.Known, hop: Hop, init: RequestInit): Promise<Response> => {
  try {
    const pooled = fetchOf(defaultSet(), optionsOf(known, hop))
    Report.fetched(hop.url.origin, pooled)
    return theirs(await pooled(hop.url, init))
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason
    const answer = unsent(error)
    if (answer === undefined) throw failed(error)
    return answer
  }
}

/** `original` sends what redirects lead out of the pool. */
export const send = async (
  original: Fetch,
  input: Parameters<Fetch>[0],
  init: RequestInit | undefined
): Promise<Response> => {
  const request = await unpack(input, init)
  const common = { signal: request.signal, redirect: "manual", duplex: "half", [OWN]: own }
  return follow(request, (hop) => {
    const { body, headers, method, url } = hop
    const sent = { ...common, body, headers, method } as RequestInit
    const known = Origins.find(url.origin)
    return known === undefined ? original(url, sent) : through(known, hop, sent)
  })
}
