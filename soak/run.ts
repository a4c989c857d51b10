/** One soak: agents that ask for minutes while a nemesis strikes, and what is left of it. */
import { setTimeout } from "node:timers/promises"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as ClientLayer from "../src/ClientLayer.ts"
import * as ClientMap from "../src/ClientMap.ts"
import { crowd, targets } from "./agents.ts"
import { Ledger } from "./ledger.ts"
import { strikes } from "./nemesis.ts"
import { random } from "./random.ts"
import { descriptors, leasesOf, type Sample, sample, trend } from "./samples.ts"
import { type Servers, startServers } from "./servers.ts"
import { failures, type Report } from "./verdict.ts"

export interface Options {
  readonly minutes: number
  readonly seed: number
  readonly agents: number
  /** Questions a second, of all agents together; fewer if answers take long. */
  readonly rate: number
  /** Ms between samples. @default 5000 */
  readonly sampleEvery?: number
  /**
   * Share by which heap and descriptors may grow. @default 0.02 in ten minutes and more; before, they are not judged
   */
  readonly tolerance?: number
  /** Keeps a lease for ever: a soak must find it. @default false */
  readonly leak?: boolean
  readonly onSample?: (sample: Sample, ledger: Ledger) => void
}

/** Ms: after the last strike all is well again, and clients have seen it. */
const CALM = 4_000

/** Minutes: until then a heap grows by what is compiled, and by caches that fill. */
const LEAST = 10

const nemesis = (seed: number, servers: Servers, ledger: Ledger): Effect.Effect<never> =>
  Effect.suspend(() => {
    const drawn = strikes(seed)
    const pauses = random(seed + 2 ** 16)
    const once = Effect.suspend(() => {
      const strike = drawn.next().value
      ledger.count(ledger.faults, `${strike.kind} (${strike.wire})`)
      servers.strike(strike)
      return Effect.sleep(pauses.between(500, 1_500))
    })
    return Effect.forever(once)
  })

const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === "Timeout").length

/** The least value that is reached within so many ms. */
const rest = async (look: () => Promise<number>, ms = 15_000): Promise<number> => {
  const until = performance.now() + ms
  for (;;) {
    const left = await look()
    if (left <= 0 || performance.now() > until) return Math.max(0, left)
    await setTimeout(20)
  }
}

const agents = (options: Options, servers: Servers, ledger: Ledger) =>
  Effect.gen(function* () {
    const { onSample, sampleEvery = 5_000, seed } = options
    const all = yield* targets(servers)
    if (options.leak === true) {
      const forever = yield* Scope.make()
      yield* Effect.provideService(all[0]!.subject.get(all[0]!.config), Scope.Scope, forever)
    }
    const from = performance.now()
    const samples: Array<Sample> = []
    const look = Effect.map(sample(ledger, from), (one) => {
      samples.push(one)
      onSample?.(one, ledger)
    })
    const stop = yield* Deferred.make<void>()
    const pace = (1_000 * options.agents) / options.rate
    const asking = yield* Effect.fork(crowd({ seed, agents: options.agents, pace, targets: all, ledger, stop }))
    const watching = yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.sleep(sampleEvery), look)))
    const striking = nemesis(seed, servers, ledger)
    yield* Effect.timeoutOption(striking, Duration.minutes(options.minutes))
    yield* Fiber.interrupt(watching)
    yield* Effect.sleep(CALM)
    yield* Deferred.succeed(stop, undefined)
    yield* Fiber.join(asking)
    const map = yield* ClientMap.ClientMap
    const leases = yield* Effect.promise(() => rest(() => Effect.runPromise(Effect.map(map.stats, leasesOf)), 3_000))
    return { samples, leases }
  })

const clients = ClientLayer.layer({ idleTimeToLive: 1_000, drainTimeout: 1_000, capacity: 64 })

/** The command that does the same again. */
const replay = ({ agents, minutes, rate, seed }: Options): string =>
  `npm run soak -- --seed ${seed} --minutes ${minutes} --agents ${agents} --rate ${rate}`

export const soak = async (options: Options): Promise<Report> => {
  const ledger = new Ledger()
  const command = replay(options)
  const surprise = (error: unknown): void => ledger.surprise(`uncaught: ${String(error)}`)
  process.on("uncaughtException", surprise)
  process.on("unhandledRejection", surprise)
  try {
    const servers = await startServers()
    try {
      // Sockets are found by their descriptors: those of the pool keep no process, so Node does not list them.
      const before = { timers: timers(), descriptors: descriptors() }
      const scope = await Effect.runPromise(Scope.make())
      const context = await Effect.runPromise(
        Layer.buildWithScope(Layer.provideMerge(clients, Logger.remove(Logger.defaultLogger)), scope)
      )
      const { leases, samples } = await agents(options, servers, ledger).pipe(
        Effect.provide(context),
        Effect.scoped,
        Effect.runPromise
      )
      await Effect.runPromise(Scope.close(scope, Exit.void))
      const left = {
        leases,
        serverSockets: await rest(async () => (await servers.counts()).open.length),
        descriptors: await rest(async () => descriptors() - before.descriptors),
        timers: await rest(async () => timers() - before.timers)
      }
      const report = {
        command,
        ledger,
        samples,
        heap: trend(samples, "heap"),
        descriptors: trend(samples, "descriptors"),
        left,
        server: await servers.counts(),
        tolerance: options.tolerance ?? (options.minutes < LEAST ? undefined : 0.02)
      }
      return { ...report, failures: failures(report) }
    } finally {
      await servers.close()
    }
  } catch (error) {
    throw new Error(`the soak broke; again: ${command}`, { cause: error })
  } finally {
    process.off("uncaughtException", surprise)
    process.off("unhandledRejection", surprise)
  }
}
