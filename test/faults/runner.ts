/**
 * Runs a row once, over one protocol and with one provider: requests arrive and are held, others queue behind them, the
 * fault strikes, all settle, and one more is sent.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import type { Door } from "../direct/doors.ts"
import type { Subject } from "../support/providers.ts"
import { serveToxics } from "../support/toxics.ts"
import { serveTunnel } from "../support/tunnel.ts"
import { eventually } from "../support/wait.ts"
import { ask, askBy, type Kind } from "./ask.ts"
import { type Expected, mismatch, unaffected } from "./expected.ts"
import type { Row, World } from "./row.ts"
import { type Arrival, answer, contentFor, type Protocol } from "./server/arrival.ts"
import { baseURL, serveProvider } from "./server/provider.ts"
import { serveSandbox } from "./server/sandbox.ts"

export interface Variant {
  readonly row: Row
  readonly protocol: Protocol
  readonly subject: Subject
  readonly kind: Kind
  /** Without the provider's SDK: the way that its `subject` has, if that takes no client. @default with it */
  readonly direct?: "without Effect" | Door
}

export interface Verdict {
  /** Differences from the row's expectations. */
  readonly wrong: ReadonlyArray<string>
  /** Requests that the server saw again although they must not be repeated. */
  readonly duplicates: ReadonlyArray<string>
}

const serve = ({ protocol, row }: Variant) => {
  const inFlight = row.inFlight ?? 1
  const held: Array<Arrival> = []
  let struck = false
  const world = Effect.acquireRelease(
    Effect.promise(async (): Promise<World> => {
      const onArrival = (arrival: Arrival): void => {
        if (struck) (row.again?.(arrival, made) ?? answer)(arrival, made)
        else held.push(arrival)
      }
      const provider = await (row.sandbox === undefined
        ? serveProvider(protocol, { streams: Math.max(1, inFlight), ...row.server, onArrival })
        : serveSandbox(protocol, row.sandbox))
      const beside = row.proxied === "beside" ? { host: "127.0.0.2", port: provider.port } : undefined
      const proxy = row.proxied === undefined ? undefined : await serveToxics(provider.port, beside)
      const tunnel = row.tunnelled === true ? await serveTunnel() : undefined
      const made: World = { protocol, provider, proxy, tunnel }
      await row.prepare?.(made)
      return made
    }),
    ({ provider, proxy, tunnel }) =>
      Effect.promise(() => Promise.all([proxy?.close(), tunnel?.close(), provider.close()]))
  )
  const strike = (to: World): Promise<unknown> => {
    struck = true
    for (const arrival of held.splice(0)) (row.strike ?? answer)(arrival, to)
    return Promise.resolve(row.befall?.(to))
  }
  return { world, strike }
}

const reached = ({ provider, proxy }: World): string => `${provider.scheme}://127.0.0.1:${(proxy ?? provider).port}`

const names = (name: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${name}-${i + 1}`)

export const run = (variant: Variant): Effect.Effect<Verdict, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { direct, kind, protocol, row, subject } = variant
    const { strike, world: made } = serve(variant)
    const world = yield* made
    const place = { baseURL: baseURL((row.reach ?? reached)(world)), ca: world.provider.ca }
    const inFlight = row.inFlight ?? 1
    const config = yield* subject.config(place, {
      timeout: 10_000,
      maxRetries: 2,
      ...row.options,
      transport: {
        maxConnections: protocol === "HTTP/2" ? 1 : Math.max(1, inFlight),
        http2: protocol === "HTTP/2" ? (world.provider.scheme === "https" ? true : "prior-knowledge") : false,
        ...(world.tunnel !== undefined && { proxy: `http://127.0.0.1:${world.tunnel.port}` }),
        ...row.options?.transport
      }
    })
    const abort = row.aborted === true ? new AbortController() : undefined
    const wanted = (id: string) => (row.sandbox === undefined ? contentFor(id) : undefined)
    const send = (ids: ReadonlyArray<string>, expected: Expected = unaffected, signal?: AbortSignal) =>
      Effect.forEach(ids, (id) =>
        Effect.map(
          Effect.fork(
            typeof direct === "object"
              ? askBy(direct, config, kind, id, wanted(id))
              : ask(subject, config, kind, id, wanted(id), signal)
          ),
          (fiber) => ({ id, expected, fiber })
        )
      )

    const flying = yield* send(names("in-flight", inFlight), row.expect.inFlight, abort?.signal)
    yield* Effect.promise(() => world.provider.arrived(inFlight))
    const standing = yield* send(names("queued", row.queued ?? 1), row.expect.queued)
    // The sandbox waits for nobody.
    if (inFlight > 0 && row.sandbox === undefined) {
      yield* eventually(ClientMap.stats, ({ clients }) => clients[0]?.queued === standing.length)
    }
    yield* Effect.promise(() => strike(world))
    abort?.abort()
    for (const { fiber } of [...flying, ...standing]) yield* Fiber.await(fiber)
    yield* Effect.promise(() => Promise.resolve(row.heal?.(world)))
    const later = yield* send(names("later", 1), row.expect.later)
    for (const { fiber } of later) yield* Fiber.await(fiber)
    yield* Effect.promise(() => world.provider.settled())

    const wrong: Array<string> = []
    for (const { expected, fiber, id } of [...flying, ...standing, ...later]) {
      const why = mismatch(expected, kind, yield* Fiber.join(fiber), world.provider.count(id))
      if (why !== undefined) wrong.push(`${id} ${why}`)
    }
    const more = row.check?.(world)
    if (more !== undefined) wrong.push(more)
    return { wrong, duplicates: world.provider.duplicates() }
  }).pipe(Effect.provide(ClientLayer.layer()))
