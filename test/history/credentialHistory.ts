/** Events of a credential, in the words of its users and of the issuer of its tokens. */
import { type History, operations, type Operation, type Violation } from "./history.ts"

type Named<F extends string, Rest> = F extends string ? { readonly f: F } & Rest : never

export type CredentialCall =
  /** `version` is the one that is current when it begins. */
  | Named<"use" | "load", { readonly version: number }>
  | { readonly f: "abort"; readonly of: number }
  /** The provider answered 401 to a token. */
  | { readonly f: "refuse"; readonly token: string }
  /** All has gone that can go without time passing. */
  | { readonly f: "quiet" }

export interface CredentialDetail {
  readonly token?: string
  /** Milliseconds. */
  readonly expiresAt?: number
  /** For `refuse`: true if asking again can help. */
  readonly helps?: boolean
}

export type CredentialHistory = History<CredentialCall, CredentialDetail>

type Of<F extends CredentialCall["f"]> = Operation<CredentialCall, CredentialDetail> & {
  readonly call: Extract<CredentialCall, { readonly f: F }>
}

/** A history, sorted by what it is about. */
export interface Uses {
  readonly broken: ReadonlyArray<Violation>
  readonly of: <F extends CredentialCall["f"]>(f: F) => ReadonlyArray<Of<F>>
}

export const sorted = (history: CredentialHistory): Uses => {
  const { all, broken } = operations(history)
  return { broken, of: (f) => all.filter((one): one is Of<typeof f> => one.call.f === f) }
}
