/** A row of the fault matrix: one fault, and what becomes of requests in flight, of those queued, and of later ones. */
import type { CommonOptions } from "../../src/ClientConfig.ts"
import type { FaultRule } from "../../src/testing/Sandbox.ts"
import type { ToxicProxy } from "../support/toxics.ts"
import type { Tunnel } from "../support/tunnel.ts"
import type { Kind } from "./ask.ts"
import type { Expected } from "./expected.ts"
import type { Arrival, Protocol } from "./server/arrival.ts"
import type { Provider, ProviderOptions } from "./server/provider.ts"

export interface World {
  readonly protocol: Protocol
  readonly provider: Provider
  /** Between clients and the provider, for rows that are `proxied`. */
  readonly proxy: ToxicProxy | undefined
  /** The HTTP proxy of clients, for rows that are `tunnelled`. */
  readonly tunnel: Tunnel | undefined
}

type Strike = (held: Arrival, world: World) => void

/** For `again`: whether it was in flight when the fault came. */
export const wasInFlight = ({ id }: Arrival): boolean => id.startsWith("in-flight")

export interface Row {
  readonly name: string
  /** Protocols it applies to. @default all */
  readonly over?: ReadonlyArray<Protocol>
  /** Each is a run of its own. @default chat */
  readonly kinds?: ReadonlyArray<Kind>
  readonly options?: CommonOptions
  readonly server?: Partial<ProviderOptions>
  /** The fault as the sandbox makes it, which then is the provider; there is no `strike`. @default one by hand */
  readonly sandbox?: Pick<FaultRule, "fault" | "times">
  /** A TCP proxy that stands in between, or beside the provider: at its port of 127.0.0.2. @default false */
  readonly proxied?: boolean | "beside"
  /** True if clients use an HTTP proxy. @default false */
  readonly tunnelled?: boolean
  /** The provider's origin as clients are given it. @default its own */
  readonly reach?: (world: World) => string
  /**
   * Requests in flight when the fault comes, and requests that wait for a connection, of which there are just enough.
   *
   * @default one of each
   */
  readonly inFlight?: number
  readonly queued?: number
  /** Before anything is sent. */
  readonly prepare?: (world: World) => Promise<unknown> | void
  /** The fault as those in flight meet it. They have arrived, and nothing was answered yet. @default they are answered */
  readonly strike?: Strike
  /** The same for whatever comes after that: those that come again, the queued, the later. @default they are answered */
  readonly again?: (arrival: Arrival, world: World) => Strike | undefined
  /** True if all that are in flight are aborted in one turn when the fault comes. @default false */
  readonly aborted?: boolean
  /** The fault as the rest of the world meets it, after that. */
  readonly befall?: (world: World) => Promise<unknown> | void
  /** The end of the fault, before later requests are sent. */
  readonly heal?: (world: World) => Promise<unknown> | void
  /** Blank cells are requests that are not affected. */
  readonly expect: {
    readonly inFlight?: Expected
    readonly queued?: Expected
    readonly later?: Expected
  }
  /** A further condition at the end: the reason why it fails, or `undefined`. */
  readonly check?: (world: World) => string | undefined
  /** For how long, in ms, it lasts, if that is long. */
  readonly takes?: number
}
