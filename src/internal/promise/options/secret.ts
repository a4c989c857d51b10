/** The key as constructors take it: a string, a function, or wrapped as the Effect modules have it. */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Credential } from "../../../Credential.ts"
import { invalid, describe } from "../../options/validate.ts"
import { isCredential, make } from "../../credential/model.ts"
import { PLACEHOLDER } from "../../redaction/redact.ts"
import type { Draft } from "./read.ts"

export type KeyFunction = (...args: ReadonlyArray<never>) => unknown

/** A string, wrapped. `null` and functions are left to the callers that accept them. */
export const wrapKey = (draft: Draft, expected = "the provider's key, as a string"): void => {
  const value = draft.options["apiKey"]
  if (value === undefined || Redacted.isRedacted(value) || isCredential(value)) return
  if (typeof value !== "string") throw invalid(draft.at("apiKey"), describe(value), expected)
  draft.options["apiKey"] = Redacted.make(value)
}

const known = new WeakMap<object, Credential>()

/**
 * A function that gives the key. The SDK calls it for each request, in the caller's own async context: it may give each
 * tenant another key, so what it gave to one request is never used for another. Here it is only a name, by which its
 * clients share a budget; the name is this process's own, for elsewhere another function may be meant.
 */
export const keyFunction = (draft: Draft, option: string, f: KeyFunction): void => {
  let credential = known.get(f)
  if (credential === undefined) {
    // Requests bring their key with them, so this one is never sent.
    credential = make({ id: `function ${randomUUID()}`, load: Effect.succeed(Redacted.make(PLACEHOLDER)) })
    known.set(f, credential)
  }
  draft.options["apiKey"] = credential
  draft.sdk[option] = f
}

/** Settles the options of SDKs whose key is a string and nothing else. */
export const plain =
  (spec: { readonly baseURL?: string | undefined }) =>
  (draft: Draft): void => {
    const { given, options } = draft
    // The SDKs take both as: their own address, over the environment's.
    if (given["baseURL"] === null || given["baseURL"] === "") options["baseURL"] = spec.baseURL
    wrapKey(draft)
  }
