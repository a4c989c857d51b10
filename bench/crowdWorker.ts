/** One crowd, from a cold start, and how it fared. */
import { subscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as ClientLayer from "clientele/ClientLayer"
import { census, configs, type Target } from "./agents.ts"
import { input, report } from "./child.ts"

export interface Work {
  readonly target: Target
  readonly agents: number
}

export interface Outcome {
  readonly failed: number
  /** The message of the first failure. */
  readonly first: string | undefined
  /** In ms. */
  readonly wall: number
  /** Sockets that this process had open at the same time. */
  readonly ownPeak: number
}

const { agents, target } = input<Work>()

let open = 0
let ownPeak = 0
subscribe("net.client.socket", (message) => {
  ownPeak = Math.max(ownPeak, ++open)
  ;(message as { readonly socket: Socket }).socket.once("close", () => open--)
})

const outcome = await Effect.gen(function* () {
  const all = yield* configs(target)
  const start = performance.now()
  const counts = yield* census(all, agents)
  return { ...counts, wall: performance.now() - start, ownPeak }
}).pipe(Effect.provide(ClientLayer.layer()), Effect.runPromise)

report(outcome satisfies Outcome)
