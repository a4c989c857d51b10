/** A process in which agents wait, all started in one turn, and are then interrupted, all at once. Needs --expose-gc. */
import { setImmediate, setTimeout } from "node:timers/promises"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as ClientLayer from "clientele/ClientLayer"
import * as OpenAiClient from "clientele/OpenAiClient"
import { configs, type Target } from "./agents.ts"
import { input, report } from "./child.ts"
import { question } from "./question.ts"

export interface Work {
  /** Agents before there is a client, or after; or as many fibers that wait for a Deferred. */
  readonly variant: "agents, cold" | "agents" | "fibers"
  /** Its server never answers. */
  readonly target: Target
  readonly agents: number
}

export interface Outcome {
  /** Bytes of heap for each, garbage collected. */
  readonly heap: number
  /** Milliseconds until the event loop turns again after all have been started, and after all have been interrupted. */
  readonly blocked: number
  readonly interrupted: number
}

const { agents, target, variant } = input<Work>()

const weigh = async (): Promise<number> => {
  for (let i = 0; i < 2; i++) {
    await setTimeout(100)
    globalThis.gc?.()
  }
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

/** Milliseconds of work, its microtasks included. */
const timed = async (work: () => void): Promise<number> => {
  const from = performance.now()
  work()
  await setImmediate()
  return performance.now() - from
}

const measured = async <R>(runtime: Runtime.Runtime<R>, agent: (i: number) => Effect.Effect<unknown, unknown, R>) => {
  const before = await weigh()
  const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
  const blocked = await timed(() => {
    for (let i = 0; i < agents; i++) fibers.push(Runtime.runFork(runtime)(agent(i)))
  })
  await setTimeout(2_000)
  const heap = ((await weigh()) - before) / agents
  const interrupted = await timed(() => {
    for (const fiber of fibers) fiber.unsafeInterruptAsFork(fiber.id())
  })
  await Effect.runPromise(Effect.forEach(fibers, (fiber) => Fiber.await(fiber), { discard: true }))
  return { heap, blocked, interrupted } satisfies Outcome
}

const outcome = await Effect.gen(function* () {
  const [config] = yield* configs(target)
  if (config === undefined) return yield* Effect.dieMessage("no config")
  if (variant === "agents") yield* OpenAiClient.use(config, () => Promise.resolve())
  const runtime = yield* Effect.runtime<Effect.Effect.Context<ReturnType<typeof OpenAiClient.use>>>()
  const never = yield* Deferred.make<void>()
  return yield* Effect.promise(() =>
    measured(runtime, (i) =>
      variant === "fibers"
        ? Deferred.await(never)
        : OpenAiClient.use(config, (openai) => openai.chat.completions.create(question(i)))
    )
  )
}).pipe(Effect.provide(ClientLayer.layer({ drainTimeout: 200 })), Effect.runPromise)

report(outcome)
