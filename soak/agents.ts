/** Agents that ask on and on, each in its own way: plain and streamed, to the end or not, with shared clients and with own. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ClientConfig, CommonOptions } from "../src/ClientConfig.ts"
import type { OptionsError } from "../src/ClientError.ts"
import * as ClientMap from "../src/ClientMap.ts"
import { ask, type Kind } from "../test/faults/ask.ts"
import type { Outcome } from "../test/faults/expected.ts"
import { baseURL } from "../test/faults/server/provider.ts"
import { type Place, type Subject, subjects } from "../test/support/providers.ts"
import type { Ledger } from "./ledger.ts"
import { keys, wires } from "./nemesis.ts"
import { type Random, random } from "./random.ts"
import type { Ports } from "./server.ts"

/** Ms that a busy machine may take to notice that a time is over. */
const GRACE = 10_000

/** A sixtieth of what they are by default, where that is minutes. In ms. */
const times = { queueTimeout: 2_000, deadline: 2_500, maxRetryAfter: 1_000 }
const options: CommonOptions = { timeout: 1_200, bodyTimeout: 500, ...times }

const MOST_RETRIES = 3

/** After so many ms each request has ended: every attempt may wait for its turn, take its time, and be put off. */
const LONGEST = (1 + MOST_RETRIES) * (times.queueTimeout + times.deadline + times.maxRetryAfter) + GRACE

const perKey: Readonly<Record<(typeof keys)[number], CommonOptions>> = {
  "sk-soak-free": {},
  "sk-soak-counted": {
    retryAmbiguous: "never",
    quota: { requestsPerMinute: 600, burst: 20, maxConcurrency: 4, maxWaiters: 40 }
  },
  "sk-soak-adaptive": {
    maxRetries: MOST_RETRIES,
    quota: { tokensPerMinute: 1_000_000, maxConcurrency: "adaptive" }
  }
}

/** Destination and client of an agent's requests. */
export interface Target {
  readonly subject: Subject
  readonly config: ClientConfig
  readonly fresh: (key: string) => Effect.Effect<ClientConfig, OptionsError>
}

/** Each provider over each protocol, straight and through the proxy, with each key. */
export const targets = ({ ca, ports }: Ports): Effect.Effect<ReadonlyArray<Target>, OptionsError> => {
  const places = wires.flatMap((wire) =>
    [ports[wire].direct, ports[wire].proxied].map((port) => ({
      place: {
        baseURL: baseURL(`${wire === "HTTP/2" ? "https" : "http"}://127.0.0.1:${port}`),
        ca
      } satisfies Place,
      transport: {
        http2: wire === "HTTP/2",
        maxConnections: wire === "HTTP/2" ? 2 : 8,
        keepAlive: 1_000,
        maxConnectionAge: 5_000,
        connectTimeout: 500,
        circuitCooldown: 500
      }
    }))
  )
  const all = places.flatMap(({ place, transport }) =>
    subjects.flatMap((subject) =>
      keys.map((name) => {
        const make = (key: string) => subject.config(place, { ...options, ...perKey[name], key, transport })
        return Effect.map(make(name), (config): Target => ({ subject, config, fresh: make }))
      })
    )
  )
  return Effect.all(all)
}

/** A request, and the ms after which its agent aborts it. */
interface Question {
  readonly act: string
  /** Agents with the same name get the same answer. */
  readonly name: string
  readonly effect: Effect.Effect<Outcome, unknown, ClientMap.ClientMap>
  readonly patience?: number
}

const MODEL = "soak"

const answer = (text: string): Outcome => ({ type: "answer", text, wanted: undefined })

let oneOffs = 0

type Draw = (target: Target, chance: Random) => Question

const plain =
  (kind: Kind): Draw =>
  ({ config, subject }) => ({
    act: kind,
    name: subject.name,
    effect: ask(subject, config, kind, MODEL, undefined)
  })

const draws: ReadonlyArray<readonly [weight: number, draw: Draw]> = [
  [40, plain("chat")],
  [30, plain("stream")],
  [
    6,
    (target, chance) => ({
      ...plain(chance.pick(["chat", "stream"]))(target, chance),
      act: "interrupted",
      patience: chance.between(0, 100)
    })
  ],
  [
    4,
    ({ config, subject }, { between }) => ({
      act: "own signal",
      name: subject.name,
      effect: Effect.suspend(() =>
        ask(subject, config, "chat", MODEL, undefined, AbortSignal.timeout(Math.ceil(between(1, 60))))
      )
    })
  ],
  [
    6,
    ({ config, subject }, { between }) => ({
      act: "stream dropped",
      name: "part",
      effect: Stream.runDrain(Stream.take(subject.stream(config), Math.ceil(between(0, 8)))).pipe(
        Effect.match({ onFailure: (error): Outcome => ({ type: "error", error }), onSuccess: () => answer("") })
      )
    })
  ],
  [
    5,
    ({ fresh, subject }) => ({
      act: "one-off config",
      name: subject.name,
      effect: Effect.flatMap(
        Effect.suspend(() => fresh(`sk-one-off-${oneOffs++}`)),
        (config) => ask(subject, config, "chat", MODEL, undefined)
      )
    })
  ],
  [
    3,
    (target, chance) => {
      const question = plain("chat")(target, chance)
      return {
        ...question,
        act: "invalidated",
        effect: Effect.zipLeft(question.effect, ClientMap.invalidate(target.config), { concurrent: true })
      }
    }
  ],
  [
    6,
    ({ config, subject }, chance) => ({
      act: "held for two",
      name: subject.name,
      effect: Effect.scoped(
        Effect.matchEffect(subject.get(config), {
          onFailure: (error) => Effect.succeed<Outcome>({ type: "error", error }),
          onSuccess: () =>
            Effect.zipRight(
              ask(subject, config, chance.pick(["chat", "stream"]), MODEL, undefined),
              ask(subject, config, "chat", MODEL, undefined)
            )
        })
      )
    })
  ]
]

const total = draws.reduce((sum, [weight]) => sum + weight, 0)

const draw = (target: Target, chance: Random): Question => {
  let at = chance.next() * total
  for (const [weight, make] of draws) {
    at -= weight
    if (at < 0) return make(target, chance)
  }
  return draws[0]![1](target, chance)
}

/** Some acts are two requests. Counted in seconds in which the process ran: those in which it got no CPU are nobody's fault. */
const wakeful = Effect.repeatN(Effect.sleep("1 second"), Math.ceil((2 * LONGEST) / 1_000))

const settle = ({ act, effect, name, patience }: Question, ledger: Ledger) =>
  Effect.gen(function* () {
    ledger.requests++
    ledger.count(ledger.acts, act)
    const from = performance.now()
    const fiber = yield* Effect.forkDaemon(effect)
    if (patience !== undefined) {
      yield* Effect.sleep(patience)
      yield* Fiber.interruptFork(fiber)
    }
    const exit = yield* Effect.raceFirst(Effect.asSome(Fiber.await(fiber)), Effect.as(wakeful, Option.none()))
    if (Option.isSome(exit)) return ledger.settled(name, exit.value, performance.now() - from)
    ledger.lost(`${act} of ${name}`)
    yield* Fiber.interruptFork(fiber)
  })

export interface Crowd {
  readonly seed: number
  readonly agents: number
  /** Ms between the questions of an agent, on average. */
  readonly pace: number
  readonly targets: ReadonlyArray<Target>
  readonly ledger: Ledger
  readonly stop: Deferred.Deferred<void>
}

/** Ends when all agents have: each when it has its answer, after `stop`. */
export const crowd = ({
  agents,
  ledger,
  pace,
  seed,
  stop,
  targets
}: Crowd): Effect.Effect<void, never, ClientMap.ClientMap> =>
  Effect.forEach(
    Array.from({ length: agents }, (_, i) => random(seed + 1 + i)),
    (chance) =>
      Effect.gen(function* () {
        while (true) {
          const over = yield* Effect.timeoutOption(Deferred.await(stop), chance.between(0, 2 * pace))
          if (Option.isSome(over)) return
          yield* settle(draw(chance.pick(targets), chance), ledger)
        }
      }),
    { concurrency: "unbounded", discard: true }
  )
