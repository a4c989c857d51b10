/**
 * Names for credentials that are the same in every process, so that processes can share a budget under them.
 *
 * Unsalted, since all processes must get the same result. A provider's key is 20 or more random characters, above 100
 * bits: hashing guesses can't find it, and half of a SHA-256 reveals less than the whole. Its 128 bits are still too
 * many for two credentials to collide by accident.
 */
import { createHash } from "node:crypto"
import * as Redacted from "effect/Redacted"

/** `kind` keeps a key apart from an id that reads the same. */
const digest = (kind: string, text: string): string =>
  createHash("sha256").update(`clientele\0${kind}\0${text}`).digest("hex").slice(0, 32)

export const ofSecret = (secret: Redacted.Redacted): string => digest("secret", Redacted.value(secret))

export const ofId = (id: string): string => digest("id", id)

export const ofAll = (digests: ReadonlyArray<string>): string => digest("pool", digests.join())
