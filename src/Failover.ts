/**
 * When a provider is closed or failing, agents go to the next one, by effect's own `ExecutionPlan` or by plain operators.
 *
 * Errors that another provider can cure fail over, and no others:
 *
 * | error | fails over | because |
 * |---|---|---|
 * | `RateLimited`, `QuotaExceeded`, `QueueTimeout` | yes | another account has a budget of its own |
 * | `Server`, `Timeout`, `Connection` | yes | another provider has servers of its own |
 * | `Malformed` | yes | the answer was at fault, not the question |
 * | `Authentication`, `Permission` | yes | another account has a key and rights of its own |
 * | `FileDescriptors`, `Capacity` | yes | the next may hold already what this one could not get |
 * | `Construct` | yes | it is one SDK that could not be constructed |
 * | `BadRequest`, `NotFound` | no | the question is at fault, or the model's name; another provider would hide it |
 * | `OptionsError` | no | so is the configuration, and nothing has been sent |
 * | `CallbackError` | no | the caller's own code threw |
 * | `Aborted`, `Closed`, `Released` | no | the caller has left, or the client is closed |
 *
 * The first provider may have done the work all the same, unless the error's `processed` is `no`: let only that fail over
 * which may be done twice, such as generation.
 *
 * The first one's options set how soon the next provider is tried. `maxRetries: 0` goes on at the first failure of a
 * request that may have reached the provider. `maxRetryAfter: 0` goes on at once if it is unreachable, and without a
 * request while its Retry-After for this credential lasts; with more, agents wait that long first. `queueTimeout` goes on
 * when the budget or the sockets are merely busy for so long. With either of the first two, a provider that is down gets
 * no request after request: once a circuit is open
 * (`transport.circuitFailures`) requests fail with the next probe, or with `maxRetryAfter: 0` at once.
 *
 * Effects that have no service in common, such as the `use` of several SDKs, need no plan:
 *
 * @example
 * ```ts
 * import * as Failover from "clientele/Failover"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as OpenAiClient from "clientele/OpenAiClient"
 * import * as Effect from "effect/Effect"
 *
 * const messages = [{ role: "user" as const, content: "hello" }]
 *
 * const groq = GroqClient.use({ maxRetries: 0, maxRetryAfter: 0 }, (client) =>
 *   client.chat.completions.create({ model: "llama-3.3-70b-versatile", messages })
 * )
 * const openai = OpenAiClient.use(undefined, (client) =>
 *   client.chat.completions.create({ model: "gpt-5-mini", messages })
 * )
 *
 * export const answer = groq.pipe(
 *   Effect.catchIf(Failover.shouldFailOver, (error) => Effect.zipRight(Effect.logWarning(error.message), openai))
 * )
 * ```
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ExecutionPlan from "effect/ExecutionPlan"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { type PoolReason, PoolError, RequestError, type RequestReason } from "./ClientError.ts"

const curable: Readonly<Record<RequestReason | PoolReason, boolean>> = {
  RateLimited: true,
  QuotaExceeded: true,
  QueueTimeout: true,
  Server: true,
  Timeout: true,
  Connection: true,
  Malformed: true,
  Authentication: true,
  Permission: true,
  FileDescriptors: true,
  Capacity: true,
  Construct: true,
  BadRequest: false,
  NotFound: false,
  Aborted: false,
  Closed: false,
  Released: false
}

const isOurs = (error: unknown): error is PoolError | RequestError =>
  error instanceof RequestError || error instanceof PoolError

/**
 * True if another provider can cure the error, by the table above; false for errors other than clientele's.
 *
 * @since 0.1.0
 * @category predicates
 */
export const shouldFailOver = (error: unknown): boolean => isOurs(error) && curable[error.reason]

/**
 * One provider of a plan.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  /** Name of the step in warnings. */
  readonly name: string
  /** The service that agents use. It is built at each attempt, so it should hold what is shared, not make it. */
  readonly provide: Layer.Layer<never, unknown, unknown>
  /**
   * Attempts of the whole effect with this step, without a pause, before the next step is tried. Single requests are
   * retried by `maxRetries`, with the pauses that they need, within each attempt.
   *
   * @default 1
   */
  readonly attempts?: number | undefined
}

/**
 * The result of `plan`: an `ExecutionPlan` that provides what all its layers provide, with the requirements and errors
 * of each of them. It takes effects with errors of any type.
 *
 * @since 0.1.0
 * @category models
 */
export type Plan<Steps extends ReadonlyArray<Step>> = ExecutionPlan.ExecutionPlan<{
  provides: ExecutionPlan.make.StepProvides<Steps>
  input: unknown
  error: Steps[number]["provide"] extends Layer.Layer<infer _Out, infer E, infer _In> ? E : never
  requirements: Steps[number]["provide"] extends Layer.Layer<infer _Out, infer _E, infer In> ? In : never
}>

interface Attempt {
  readonly step: Step
}

/** A warning that has been logged, and does for those that follow. */
interface Warned {
  /** In milliseconds. */
  readonly at: number
  suppressed: number
  /** True once the step has succeeded again. */
  hasRecovered: boolean
}

interface Memory {
  /**
   * The attempt in which each error came up. A plan calls `while` with the error of the attempt before, to enter this
   * one; and in a stream, with its own.
   */
  readonly origin: WeakMap<object, Attempt>
  readonly warned: Map<Step, Map<RequestReason | PoolReason, Warned>>
}

/** Milliseconds for which one warning does for all that follow. */
const WARNING_INTERVAL_MS = 5 * 60_000

/** Beside the attempt's own layer, so that it also learns of a failure to build that. */
const remember = ({ origin, warned }: Memory, attempt: Attempt): Layer.Layer<never> =>
  Layer.scopedDiscard(
    Effect.suspend(() => {
      // An attempt that began before a warning, and succeeds after it, does not take that back.
      const before = [...(warned.get(attempt.step)?.values() ?? [])]
      return Effect.addFinalizer((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) for (const warning of before) warning.hasRecovered = true
          else for (const error of Cause.failures(exit.cause)) if (isOurs(error)) origin.set(error, attempt)
        })
      )
    })
  )

/** The number of warnings that were suppressed before the one that is to be logged now, `undefined` if none is. */
const take = (warned: Memory["warned"], step: Step, reason: RequestReason | PoolReason, now: number) => {
  const reasons = warned.get(step) ?? new Map<RequestReason | PoolReason, Warned>()
  warned.set(step, reasons)
  const last = reasons.get(reason)
  if (last !== undefined && !last.hasRecovered && now - last.at < WARNING_INTERVAL_MS) {
    last.suppressed++
    return undefined
  }
  reasons.set(reason, { at: now, suppressed: 0, hasRecovered: false })
  return last?.suppressed ?? 0
}

/** True if an error leads into this attempt. */
const enter = (attempt: Attempt, error: unknown, { origin, warned }: Memory): Effect.Effect<boolean> => {
  if (!isOurs(error) || !curable[error.reason]) return Effect.succeed(false)
  const from = origin.get(error)
  if (from === attempt) return Effect.succeed(false)
  // Unknown: of another plan, with which this one was merged.
  if (from === undefined || from.step === attempt.step) return Effect.succeed(true)
  const [provider, next] = [from.step.name, attempt.step.name]
  return Clock.currentTimeMillis.pipe(
    Effect.flatMap((now) => {
      const suppressed = take(warned, from.step, error.reason, now)
      if (suppressed === undefined) return Effect.void
      const more = suppressed === 0 ? "" : ` (${suppressed} more since the last warning)`
      return Effect.annotateLogs(Effect.logWarning(`${provider} failed, trying ${next}: ${error.message}${more}`), {
        provider,
        next,
        reason: error.reason,
        ...(suppressed > 0 && { suppressed })
      })
    }),
    Effect.as(true)
  )
}

/**
 * A plan for `Effect.withExecutionPlan`: the first step that succeeds, or fails with an error that another could not cure, decides.
 * A switch is logged as a warning, with the annotations `provider` and `next`, which are names of steps, and `reason`. Later
 * switches from the same step for the same reason are counted, not logged, until the step has succeeded, or 5 minutes have
 * passed: the next warning has their number, as the annotation `suppressed` too. All users of one plan share this, so make
 * a plan once, not for each call.
 *
 * For `Stream.withExecutionPlan` always pass `{ preventFallbackOnPartialStream: true }`: without it a stream that breaks is
 * followed by the whole answer of the next provider.
 *
 * @example
 * ```ts
 * import type { ClientError } from "clientele/ClientError"
 * import type { ClientMap } from "clientele/ClientMap"
 * import * as Failover from "clientele/Failover"
 * import * as GroqClient from "clientele/GroqClient"
 * import * as OpenAiClient from "clientele/OpenAiClient"
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * interface Ask {
 *   (content: string): Effect.Effect<string | null | undefined, ClientError, ClientMap>
 * }
 * class Chat extends Context.Tag("my-app/Chat")<Chat, Ask>() {}
 *
 * const groq = Layer.succeed(Chat, (content) =>
 *   GroqClient.use({ maxRetries: 0, maxRetryAfter: 0 }, async (client) => {
 *     const body = { model: "llama-3.3-70b-versatile", messages: [{ role: "user" as const, content }] }
 *     return (await client.chat.completions.create(body)).choices[0]?.message.content
 *   })
 * )
 * const openai = Layer.succeed(Chat, (content) =>
 *   OpenAiClient.use(undefined, async (client) => {
 *     const body = { model: "gpt-5-mini", messages: [{ role: "user" as const, content }] }
 *     return (await client.chat.completions.create(body)).choices[0]?.message.content
 *   })
 * )
 *
 * const plan = Failover.plan({ name: "groq", provide: groq }, { name: "openai", provide: openai })
 *
 * export const agent = Effect.flatMap(Chat, (ask) => ask("hello")).pipe(Effect.withExecutionPlan(plan))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const plan = <const Steps extends Arr.NonEmptyReadonlyArray<Step>>(...steps: Steps): Plan<Steps> => {
  const all: Arr.NonEmptyReadonlyArray<Step> = steps
  const memory: Memory = { origin: new WeakMap(), warned: new Map() }
  const attempts = Arr.flatMap(all, (step) => Arr.makeBy(step.attempts ?? 1, (): Attempt => ({ step })))
  const made = ExecutionPlan.make(
    // An attempt is a step of its own: effect 3.22 starts the count of a step anew with each element of a stream.
    ...Arr.map(attempts, (attempt) => ({
      provide: Layer.flatMap(remember(memory, attempt), () => attempt.step.provide),
      while: (error: unknown) => enter(attempt, error, memory)
    }))
  )
  // The types of the steps are lost in the array.
  return made as unknown as Plan<Steps>
}
