/**
 * Named agents. An agent is a function from an input to an Effect that opens a scope of its own, shows as
 * `invoke_agent {name}` in traces, and is metered by its name. It is nothing else: agents compose with Effect's own
 * operators.
 *
 * - one into the next: `Effect.flatMap(research(topic), write)`
 * - at the same time: `Effect.forEach(rows, agent, { concurrency: 100 })`, `Effect.all([a(x), b(x)], { concurrency: 2 })`
 * - a hedge: `Effect.race(quick(x), Effect.delay(other(x), "2 seconds"))`, which aborts the loser's requests
 * - a fallback: `Effect.orElse(first(x), () => second(x))`; over accounts and providers, `clientele/Failover`
 * - as a tool of another: give it to a toolkit's handlers, `toolkit.toLayer({ research: ({ topic }) => research(topic) })`
 *
 * @example
 * ```ts
 * import * as Agent from "clientele/Agent"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as Effect from "effect/Effect"
 *
 * const summarize = Agent.make({
 *   name: "summarize",
 *   run: (text: string) =>
 *     GroqClient.use({}, (groq) =>
 *       groq.chat.completions.create({
 *         model: "llama-3.3-70b-versatile",
 *         messages: [{ role: "user", content: `Sum up: ${text}` }]
 *       })
 *     )
 * })
 *
 * export const hedged = (text: string) =>
 *   Effect.race(summarize(text), Effect.delay(summarize(text), "2 seconds"))
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as internal from "./internal/agent/invoke.ts"

/**
 * Definition of an agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<I, A, E, R> {
  /** Names its spans and metrics, so take few names, and none out of data. */
  readonly name: string
  /** Description in traces, and for models that use the agent as a tool. @default none */
  readonly description?: string | undefined
  /** The agent's body. Resources acquired in its scope are released when it succeeds, fails or is interrupted. */
  readonly run: (input: I) => Effect.Effect<A, E, R>
}

/**
 * A named agent: call it with its input.
 *
 * @since 0.1.0
 * @category models
 */
export interface Agent<in I, out A, out E = never, out R = never> {
  (input: I): Effect.Effect<A, E, Exclude<R, Scope.Scope>>
  readonly agentName: string
  readonly description: string | undefined
}

/**
 * An agent. Its metrics are `gen_ai.client.operation.duration` with the operation `invoke_agent`, its name, and the type
 * of its error, if it failed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <I, A, E, R>({ description, name, run }: Options<I, A, E, R>): Agent<I, A, E, R> => {
  const invoke = internal.make(name, description)
  return Object.assign((input: I) => invoke(Effect.scoped(Effect.suspend(() => run(input)))), {
    agentName: name,
    description
  })
}
