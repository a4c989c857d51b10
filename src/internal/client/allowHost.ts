/** Checks the hosts to which a config's requests would go, before anything is built for them. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ClientConfig } from "../../ClientConfig.ts"
import { OptionsError } from "../../ClientError.ts"
import type { Options } from "../../ClientLayer.ts"
import { isLoopback } from "../transport/publicAddress.ts"

type AllowHost = NonNullable<Options["allowHost"]>

/** Without the brackets of IPv6, and without the dot that a full name may end in: `evil.internal.` is evil.internal. */
const bare = (hostname: string): string => hostname.replace(/^\[|\]$|\.$/g, "")

const check = (provider: string, field: string, address: string, allow: AllowHost): OptionsError | undefined => {
  const { hostname, port, protocol } = new URL(address)
  const host = bare(hostname)
  let received = `at ${host}, a host that allowHost refuses`
  try {
    // Compared with `true`: the promise of an async function is always truthy.
    if (allow(host, port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)) === true) return undefined
  } catch {
    received = `at ${host}, a host for which allowHost throws`
  }
  return new OptionsError({ provider, field, received, expected: "a host that the client layer allows" })
}

/** Error for the first host of a config that is refused, if one is. */
export const refusal = (config: ClientConfig, allow: AllowHost | undefined): OptionsError | undefined => {
  if (allow === undefined) return undefined
  const { baseURL, provider, transport } = config
  return (
    check(provider, "baseURL", baseURL, allow) ??
    (transport.proxy === undefined
      ? undefined
      : check(provider, "transport.proxy", Redacted.value(transport.proxy), allow))
  )
}

/** Most origins that are remembered: beyond them, warnings have been logged often enough. */
const most = 1_000

/** Warns, once an origin, that what goes there can be read on the way. */
export const exposure = (): ((origin: string) => Effect.Effect<void>) => {
  const told = new Set<string>()
  return (origin) => {
    const { hostname, protocol } = new URL(origin)
    if (protocol !== "http:" || isLoopback(bare(hostname)) || told.has(origin) || told.size >= most) return Effect.void
    told.add(origin)
    return Effect.logWarning(`${origin}: sending keys, prompts and answers in clear text over plain HTTP. Use https`)
  }
}
