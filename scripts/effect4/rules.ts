/** What Effect 4 has in place of names and calls of Effect 3, each with the reason. */
import type { Rule } from "./rewrite.ts"

const renamed = "renamed"

/** Names that mean in Effect 4 what another name meant in Effect 3. */
const names: ReadonlyArray<readonly [from: string, to: string, why?: string]> = [
  ["Effect.zipRight", "Effect.andThen"],
  ["Effect.zipLeft", "Effect.tap"],
  ["Effect.catchAllCause", "Effect.catchCause"],
  ["Effect.catchAll", "Effect.catch"],
  ["Effect.tapErrorCause", "Effect.tapCause"],
  ["Effect.forkDaemon", "Effect.forkDetach"],
  ["Effect.fork", "Effect.forkChild"],
  ["Effect.async", "Effect.callback"],
  ["Effect.either", "Effect.result", "Either is Result"],
  ["Effect.withFiberRuntime", "Effect.withFiber"],
  ["Effect.clock", "Clock.Clock", "services with a default are References, which are effects"],
  ["Effect.clockWith", "Clock.clockWith"],
  ["Effect.Effect.Success", "Effect.Success"],
  ["Effect.Effect.Error", "Effect.Error"],
  ["Effect.Effect.Context", "Effect.Services"],
  ["Runtime.Runtime", "Context.Context", "a runtime is no more than its services"],
  ["Runtime.RunForkOptions", "Effect.RunOptions"],
  ["Layer.scopedDiscard", "Layer.effectDiscard", "every layer is scoped"],
  ["Layer.scoped", "Layer.effect", "every layer is scoped"],
  ["Layer.unwrapEffect", "Layer.unwrap"],
  ["Layer.unwrapScoped", "Layer.unwrap"],
  ["Layer.Layer.Success", "Layer.Success"],
  ["Context.GenericTag", "Context.Service"],
  ["Context.Tag", "Context.Key"],
  ["Context.unsafeGet", "Context.getUnsafe"],
  ["Deferred.unsafeDone", "Deferred.doneUnsafe"],
  ["Fiber.RuntimeFiber", "Fiber.Fiber"],
  ["Exit.isInterrupted", "Exit.hasInterrupts"],
  ["Cause.failureOption", "Cause.findErrorOption"],
  ["Cause.isInterruptedOnly", "Cause.hasInterruptsOnly"],
  ["Cause.isInterrupted", "Cause.hasInterrupts"],
  ["Cause.NoSuchElementException", "Cause.NoSuchElementError"],
  ["Cause.TimeoutException", "Cause.TimeoutError"],
  ["Duration.DurationInput", "Duration.Input"],
  ["Duration.decode", "Duration.fromInputUnsafe"],
  ["Option.fromNullable", "Option.fromNullishOr"],
  ["Scope.extend", "Scope.provide"],
  ["Scope.CloseableScope", "Scope.Closeable"],
  ["Stream.unwrapScoped", "Stream.unwrap", "every unwrap is scoped"],
  ["Stream.flattenChunks", "Stream.flattenArray", "streams carry arrays"],
  ["Stream.mapChunks", "Stream.mapArray", "streams carry arrays"],
  ["Stream.runForEachChunk", "Stream.runForEachArray", "streams carry arrays"],
  ["Stream.ensuringWith", "Stream.onExit"],
  ["Either.Either", "Result.Result"],
  ["Either.right", "Result.succeed"],
  ["Either.left", "Result.fail"],
  ["Either.isRight", "Result.isSuccess"],
  ["Either.isLeft", "Result.isFailure"],
  ["Config.Config.Wrap", "Config.Wrap"],
  ["ConfigError.ConfigError", "Config.ConfigError"],
  ["Encoding.encodeBase64", "Base64.encode"],
  ["LogLevel.greaterThan", "LogLevel.isGreaterThan"],
  ["LogLevel.greaterThanEqual", "LogLevel.isGreaterThanOrEqualTo"],
  ["LogLevel.Debug", `"Debug"`, "levels are strings"],
  ["LogLevel.Warning", `"Warn"`, "levels are strings"],
  ["LogLevel.Info", `"Info"`, "levels are strings"],
  ["LogLevel.None", `"None"`, "levels are strings"],
  ["LogLevel.All", `"All"`, "levels are strings"],
  ["LogLevel.Error", `"Error"`, "levels are strings"],
  ["LogLevel.Trace", `"Trace"`, "levels are strings"],
  ["FiberRef.currentMinimumLogLevel", "References.MinimumLogLevel", "FiberRefs are References"],
  ["Metric.Metric.Counter", "Metric.Counter"],
  ["Metric.Metric.Gauge", "Metric.Gauge"],
  ["Metric.Metric.Histogram", "Metric.Histogram"],
  ["MetricKey.MetricKey.Counter", "Metric.Counter", "a metric is its own key"],
  ["MetricKey.MetricKey.Gauge", "Metric.Gauge", "a metric is its own key"],
  ["Metric.unsafeSnapshot", "Metric.snapshotUnsafe"]
]

/** Calls that are written otherwise. */
const calls: ReadonlyArray<Rule> = [
  { from: `Effect.dieMessage($text)`, to: `Effect.die(new Error($text))`, why: "removed" },
  { from: `Effect.runtime<$R>()`, to: `Effect.context<$R>()`, why: "a runtime is no more than its services" },
  { from: `Effect.runtime()`, to: `Effect.context()`, why: "a runtime is no more than its services" },
  { from: `Runtime.runFork($runtime)`, to: `Effect.runForkWith($runtime)`, why: renamed },
  { from: `Runtime.runFork($runtime, $effect)`, to: `Effect.runForkWith($runtime)($effect)`, why: renamed },
  { from: `Runtime.runFork($runtime, $effect, $o)`, to: `Effect.runForkWith($runtime)($effect, $o)`, why: renamed },
  { from: `Runtime.runPromiseExit($runtime)`, to: `Effect.runPromiseExitWith($runtime)`, why: renamed },
  { from: `Runtime.runSync($runtime)`, to: `Effect.runSyncWith($runtime)`, why: renamed },
  { from: `Effect.yieldNow()`, to: `Effect.yieldNow`, why: "a value" },
  {
    from: `Effect.withClock($self, $clock)`,
    to: `Effect.provideService($self, Clock.Clock, $clock)`,
    why: "services with a default are References"
  },
  {
    from: `Effect.withClock($clock)`,
    to: `Effect.provideService(Clock.Clock, $clock)`,
    why: "services with a default are References"
  },
  { from: `Effect.tracerWith($f)`, to: `Effect.flatMap(Tracer.Tracer, $f)`, why: "services with a default are References" },
  { from: `Effect.contextWithEffect($f)`, to: `Effect.flatMap(Effect.context(), $f)`, why: "removed" },
  {
    from: `Effect.withMaxOpsBeforeYield($self, $n)`,
    to: `Effect.provideService($self, Scheduler.MaxOpsBeforeYield, $n)`,
    why: "FiberRefs are References"
  },
  {
    from: `Effect.withMaxOpsBeforeYield($n)`,
    to: `Effect.provideService(Scheduler.MaxOpsBeforeYield, $n)`,
    why: "FiberRefs are References"
  },
  {
    from: `Effect.withScheduler($self, $scheduler)`,
    to: `Effect.provideService($self, Scheduler.Scheduler, $scheduler)`,
    why: "FiberRefs are References"
  },
  {
    from: `Effect.withScheduler($scheduler)`,
    to: `Effect.provideService(Scheduler.Scheduler, $scheduler)`,
    why: "FiberRefs are References"
  },
  {
    from: `Effect.configProviderWith($f)`,
    to: `Effect.flatMap(ConfigProvider.ConfigProvider, $f)`,
    why: "services with a default are References"
  },
  {
    from: `Effect.withConfigProvider($self, $provider)`,
    to: `Effect.provideService($self, ConfigProvider.ConfigProvider, $provider)`,
    why: "services with a default are References"
  },
  {
    from: `Effect.withConfigProvider($provider)`,
    to: `Effect.provideService(ConfigProvider.ConfigProvider, $provider)`,
    why: "services with a default are References"
  },
  {
    from: `Context.get(DefaultServices.liveServices, $tag)`,
    to: `Context.get(Context.empty(), $tag)`,
    why: "References carry their defaults"
  },
  { from: `Context.Tag($id)<$$T>()`, to: `Context.Service<$$T>()($id)`, why: "the types come first" },
  {
    from: `class $N extends Context.Reference<$N>()($id, $options) {}`,
    to: `const $N = Context.Reference($id, $options)\n\nexport type $N = typeof $N`,
    why: "a Reference is a value"
  },
  { from: `Deferred.unsafeMake<$$T>($_)`, to: `Deferred.makeUnsafe<$$T>()`, why: "fibers have numbers" },
  { from: `Exit.interrupt(FiberId.none)`, to: `Exit.interrupt()`, why: "fibers have numbers" },
  { from: `$fiber.unsafeInterruptAsFork($_)`, to: `$fiber.interruptUnsafe()`, why: renamed },
  { from: `$fiber?.unsafeInterruptAsFork($_)`, to: `$fiber?.interruptUnsafe()`, why: renamed },
  { from: `Fiber.interruptFork($fiber)`, to: `Effect.forkDetach(Fiber.interrupt($fiber))`, why: "removed" },
  { from: `FiberRef.get($ref)`, to: `$ref`, why: "References are effects" },
  { from: `Clock.make()`, to: `Context.get(Context.empty(), Clock.Clock)`, why: "References carry their defaults" },
  {
    from: `Exit.flatten($exit)`,
    to: `(Exit.isSuccess($exit) ? $exit.value : Exit.failCause($exit.cause))`,
    why: "removed"
  },
  { from: `Metric.fromMetricKey($key)`, to: `$key`, why: "a metric is its own key" },
  { from: `MetricKey.MetricKey.Histogram`, to: `Metric.Histogram<number>`, why: "a metric is its own key" },
  { from: `Metric.snapshotUnsafe()`, to: `Metric.snapshotUnsafe(Context.empty())`, why: "registries are services" },
  {
    from: `Stream.repeatEffectChunkOption($next)`,
    to: `Stream.fromPull(Effect.succeed(Effect.mapError(Effect.map($next, Chunk.toReadonlyArray), (end) => (Option.isSome(end) ? end.value : Cause.Done()))))`,
    why: "a pull gives arrays, and ends with a failure of its own"
  },
  { from: `$fiber.unsafePoll()`, to: `($fiber.pollUnsafe() ?? null)`, why: "undefined where it was null" },
  { from: `$fiber.currentContext`, to: `$fiber.context`, why: renamed },
  { from: `$fiber.currentSpan`, to: `$fiber.cache.span`, why: "moved" },
  { from: `FiberId.threadName($id)`, to: "`#${$id}`", why: "fibers have numbers" },
  {
    from: `Cause.failures($cause)`,
    to: `$cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)`,
    why: "a cause is a list of reasons"
  },
  { from: `$clock.unsafeCurrentTimeMillis()`, to: `$clock.currentTimeMillisUnsafe()`, why: renamed },
  { from: `$clock.unsafeCurrentTimeNanos()`, to: `$clock.currentTimeNanosUnsafe()`, why: renamed },
  {
    from: `Duration.decodeUnknown($input)`,
    to: `Duration.fromInput($input as Duration.Input)`,
    why: "unknown input is looked at all the same"
  },
  { from: `Data.struct($fields)`, to: `$fields`, why: "plain objects compare by what is in them" },
  { from: `$either.right`, to: `$either.success`, why: "Either is Result", within: "effect/Either" },
  { from: `$either.left`, to: `$either.failure`, why: "Either is Result", within: "effect/Either" },
  {
    from: `ConfigProvider.fromMap(new Map($entries))`,
    to: `ConfigProvider.fromEnvRecord(Object.fromEntries($entries), { preserveEmptyStrings: true })`,
    why: "removed"
  },
  { from: `Logger.replace(Logger.defaultLogger, $logger)`, to: `Logger.layer([$logger])`, why: "loggers are a set" },
  { from: `Metric.set($gauge, $value)`, to: `Metric.update($gauge, $value)`, why: "removed" },
  { from: `Effect.repeatN($self, $n)`, to: `Effect.repeat($self, { times: $n })`, why: "removed" }
]

export const rules: ReadonlyArray<Rule> = [
  ...names.map(([from, to, why = renamed]): Rule => ({ from, to, why })),
  ...calls
]
