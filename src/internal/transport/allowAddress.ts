/**
 * Keeps sockets away from addresses that `allowAddress` refuses. It is asked of what is about to be dialled, in the very
 * lookup of the connection: a name that means another address a moment later gains nothing.
 */
import { lookup, type LookupAddress } from "node:dns"
import { isIP, type LookupFunction } from "node:net"
import { WireError } from "../wire/errors.ts"
import { plainAddress } from "./publicAddress.ts"

/** `host` is the name that was looked up, or the address itself. */
export type AllowAddress = (address: string, host: string) => boolean

const refusal = (host: string, addresses: ReadonlyArray<string>, cause?: unknown): WireError => {
  const where = isIP(host) === 0 ? `${host} resolves only to ${addresses.join(", ")}` : host
  const why = cause === undefined ? "which allowAddress refuses" : "for which allowAddress threw"
  return new WireError("Refused", "no", `not connected: ${where}, ${why}`, cause)
}

/** Filters addresses to those that are allowed: at least one. Throws a WireError. */
const allowed = (
  allow: AllowAddress,
  host: string,
  addresses: ReadonlyArray<LookupAddress>
): ReadonlyArray<LookupAddress> => {
  const all = addresses.map(({ address }) => plainAddress(address))
  // A full name may end in a dot, and is the same without it.
  const name = host.replace(/\.$/, "")
  let good: ReadonlyArray<LookupAddress>
  try {
    // Compared with `true`: the promise of an async function is always truthy.
    good = addresses.filter((_, i) => allow(all[i]!, name) === true)
  } catch (cause) {
    throw refusal(host, all, cause)
  }
  if (good.length === 0) throw refusal(host, all)
  return good
}

/** For a host that is an address, which is not looked up. Throws a WireError. */
export const checkHost = (allow: AllowAddress | undefined, host: string): void => {
  if (allow !== undefined && isIP(host) !== 0) allowed(allow, host, [{ address: host, family: isIP(host) }])
}

/** The `lookup` option for `net.connect` and `tls.connect`: resolves to allowed addresses only. */
export const guardedLookup =
  (allow: AllowAddress): LookupFunction =>
  (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [])
      let good: ReadonlyArray<LookupAddress>
      try {
        good = allowed(allow, host, addresses)
      } catch (refused) {
        return done(refused as WireError, [])
      }
      if (options.all === true) return done(null, [...good])
      return done(null, good[0]!.address, good[0]!.family)
    })
