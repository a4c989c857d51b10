/**
 * The four providers without their SDKs, and any server at all, for callers that send requests themselves: they lease
 * the pooled fetch alone.
 */
import * as Context from "effect/Context"
import type { Spec } from "../../ClientConfig.ts"
import { type Definition, make, type Provider } from "../../Provider.ts"
import * as specs from "../config/specs.ts"
import { ofAzure } from "../redaction/redact.ts"

/** A client without an SDK. */
export type Bare = Readonly<Record<never, never>>

const bare: Bare = Object.freeze({})

const of = <P extends string, Extra extends string>(
  spec: Spec<P, Extra>,
  more?: Pick<Definition<Bare, Bare, P, Extra>, "authorize" | "printsEvents">
): Provider<Bare, Bare, P, Extra> =>
  make({
    tag: Context.GenericTag<Bare>(`clientele/internal/bare/${spec.id}`),
    spec,
    ...more,
    construct: () => bare
  })

export const openai = of(specs.openai)
export const azure = of(specs.azure, { authorize: ofAzure })
export const groq = of(specs.groq)
export const cerebras = of(specs.cerebras, { printsEvents: true })

/** Any server. Requests bring their own credential, by which they are distinguished. */
export const http = of<"http", never>({ id: "http", timeout: 600_000 })
