/** Names and calls of Effect 3 with those of Effect 4 in their place, each with the reason. */
import type { Rule } from "./rewrite.ts"

const renamed = "renamed"
/** Effect 3 starts a fiber in a microtask, Effect 4 in a later turn of the event loop. */
const forked = "fibers start before what their parent does next comes to others"

/** Names that mean in Effect 4 what another name meant in Effect 3. */
const names: ReadonlyArray<readonly [from: string, to: string, why?: string]> = [
  [".unsafeCurrentTimeMillis", ".currentTimeMillisUnsafe"],
  [".unsafeCurrentTimeNanos", ".currentTimeNanosUnsafe"],
  [".currentContext", ".context"],
  ["Effect.zipRight", "Effect.andThen"],
  ["Effect.zipLeft", "Effect.tap"],
  ["Effect.catchAllCause", "Effect.catchCause"],
  ["Effect.catchAll", "Effect.catch"],
  ["Effect.tapErrorCause", "Effect.tapCause"],
  ["Effect.forkDaemon", "Effect.forkDetach({ startImmediately: true })", forked],
  ["Effect.fork", "Effect.forkChild({ startImmediately: true })", forked],
  ["Effect.forkScoped", "Effect.forkScoped({ startImmediately: true })", forked],
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
  ["Stream.flattenIterables", "Stream.flattenIterable"],
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
  ["Config.string", "Config.String"],
  ["Config.redacted", "Config.Redacted"],
  ["Config.duration", "Config.Duration"],
  ["Config.integer", "Config.Int"],
  ["Config.number", "Config.Number"],
  ["Config.boolean", "Config.Boolean"],
  ["Chat.Service", "Chat.Chat"],
  ["EmbeddingModel.Service", "EmbeddingModel.EmbeddingModel"],
  ["LanguageModel.Service", "LanguageModel.LanguageModel"],
  ["Mailbox.Mailbox", "Queue.Queue", "Mailbox is Queue"],
  ["Model.ProviderName", "Model.ProviderName | Model.ModelName", "a model has a name"],
  ["Prompt.merge", "Prompt.concat"],
  ["Tool.Requirements", "Tool.HandlerServices", "schemas of tools may need services"]
]

/** Calls that are written otherwise. */
const calls: ReadonlyArray<Rule> = [
  { from: `Effect.fork($self)`, to: `Effect.forkChild($self, { startImmediately: true })`, why: forked },
  { from: `Effect.forkDaemon($self)`, to: `Effect.forkDetach($self, { startImmediately: true })`, why: forked },
  { from: `Effect.forkScoped($self)`, to: `Effect.forkScoped($self, { startImmediately: true })`, why: forked },
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
  {
    from: `Effect.tracerWith($f)`,
    to: `Effect.flatMap(Tracer.Tracer, $f)`,
    why: "services with a default are References"
  },
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
  {
    from: `Effect.useSpan($name, { attributes, captureStackTrace: false }, $f)`,
    to: `Effect.useSpan($name, { attributes }, $f)`,
    why: "it captures none"
  },
  { from: `Exit.interrupt(FiberId.none)`, to: `Exit.interrupt()`, why: "fibers have numbers" },
  { from: `$fiber.unsafeInterruptAsFork($_)`, to: `$fiber.interruptUnsafe()`, why: renamed },
  { from: `$fiber?.unsafeInterruptAsFork($_)`, to: `$fiber?.interruptUnsafe()`, why: renamed },
  {
    from: `Fiber.interruptFork($fiber)`,
    to: `Effect.forkDetach(Fiber.interrupt($fiber), { startImmediately: true })`,
    why: "removed"
  },
  { from: `FiberRef.get($ref)`, to: `$ref`, why: "References are effects" },
  {
    from: `Clock.make()`,
    to: `Object.create(Context.get(Context.empty(), Clock.Clock))`,
    why: "the one clock is everybody's"
  },
  {
    from: `Exit.flatten($exit)`,
    to: `Effect.runSyncExit(Effect.flatten($exit))`,
    why: "removed"
  },
  { from: `Metric.fromMetricKey($key)`, to: `$key`, why: "a metric is its own key" },
  { from: `MetricKey.MetricKey.Histogram`, to: `Metric.Histogram<number>`, why: "a metric is its own key" },
  { from: `Metric.unsafeSnapshot()`, to: `Metric.snapshotUnsafe(Context.empty())`, why: "registries are services" },
  { from: `type Schema.Schema<$A, $I>`, to: `Schema.Codec<$A, $I>`, why: "a schema with an encoded side is a codec" },
  {
    from: `Cause.dieOption($cause)`,
    to: `Option.map(Option.fromNullishOr($cause.reasons.find(Cause.isDieReason)), ({ defect }) => defect)`,
    why: "a cause is a list of reasons"
  },
  {
    from: `Effect.disconnect($self)`,
    to: `Effect.flatMap(Effect.forkDetach($self, { startImmediately: true }), Fiber.join)`,
    why: "removed"
  },
  { from: `Stream.StreamTypeId in $value`, to: `Stream.isStream($value)`, why: "removed" },
  { from: `runtime.context`, to: `runtime`, why: "a runtime is no more than its services" },
  { from: `$fiber.unsafePoll()`, to: `($fiber.pollUnsafe() ?? null)`, why: "undefined where it was null" },
  { from: `$fiber.currentSpan`, to: `$fiber.cache.span`, why: "moved" },
  { from: `FiberId.threadName($id)`, to: "`#${$id}`", why: "fibers have numbers" },
  {
    from: `Cause.failures($cause)`,
    to: `$cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)`,
    why: "a cause is a list of reasons"
  },
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
  { from: `Effect.repeatN($self, $n)`, to: `Effect.repeat($self, { times: $n })`, why: "removed" },
  {
    from: `Effect.useSpan($name, { captureStackTrace: false }, $f)`,
    to: `Effect.useSpan($name, $f)`,
    why: "it captures none"
  },
  {
    from: `parameters: { $$fields }`,
    to: `parameters: Schema.Struct({ $$fields })`,
    why: "parameters are a schema",
    within: "@effect/ai/Tool"
  },
  {
    from: `part.usage.totalTokens ?? 0`,
    to: `(part.usage.inputTokens.total ?? 0) + (part.usage.outputTokens.total ?? 0)`,
    why: "usage is nested, and has no sum"
  },
  {
    from: `usage.totalTokens ?? 0`,
    to: `(usage.inputTokens.total ?? 0) + (usage.outputTokens.total ?? 0)`,
    why: "usage is nested, and has no sum"
  },
  {
    from: `Model.make(dialect.api.provider.id, $layer)`,
    to: `Model.make(dialect.api.provider.id, model, $layer)`,
    why: "a model has a name"
  },
  { from: `Mailbox.make<$$T>($capacity)`, to: `Queue.bounded<$$T>($capacity)`, why: "Mailbox is Queue" },
  { from: `Mailbox.into($self, $mailbox)`, to: `Queue.into($self, $mailbox)`, why: "Mailbox is Queue" },
  { from: `Mailbox.toStream($mailbox)`, to: `Stream.fromQueue($mailbox)`, why: "Mailbox is Queue" },
  {
    from: `$mailbox.offerAll($all)`,
    to: `Queue.offerAll($mailbox, $all)`,
    why: "Mailbox is Queue",
    within: "effect/Mailbox"
  }
]

/** Names and calls that tests and snippets use beside. */
const testing: ReadonlyArray<Rule> = [
  { from: `.runtimeEffect`, to: `.contextEffect`, why: "a runtime is no more than its services" },
  { from: `.onLeft`, to: `.onFailure`, why: "Either is Result" },
  { from: `.onRight`, to: `.onSuccess`, why: "Either is Result" },
  { from: `Stream.Stream.Success`, to: `Stream.Success`, why: renamed },
  { from: `Stream.Stream.Error`, to: `Stream.Error`, why: renamed },
  { from: `logLevel._tag === "Warning"`, to: `logLevel === "Warn"`, why: "levels are strings" },
  { from: `_tag === "Left"`, to: `_tag === "Failure"`, why: "Either is Result" },
  { from: `_tag === "Right"`, to: `_tag === "Success"`, why: "Either is Result" },
  {
    from: `$result._tag === "Left"`,
    to: `$result._tag === "Failure"`,
    why: "Either is Result",
    within: "effect/Effect"
  },
  {
    from: `$result._tag === "Right"`,
    to: `$result._tag === "Success"`,
    why: "Either is Result",
    within: "effect/Effect"
  },
  {
    from: `Stream.runFold($stream, $zero, $f)`,
    to: `Stream.runFold($stream, () => $zero, $f)`,
    why: "folds begin lazily"
  },
  { from: `Stream.runFold($zero, $f)`, to: `Stream.runFold(() => $zero, $f)`, why: "folds begin lazily" },
  {
    from: `Stream.filterMap($stream, $f)`,
    to: `Stream.map(Stream.filter(Stream.map($stream, $f), Option.isSome), ({ value }) => value)`,
    why: "filters give Results"
  },
  { from: `FastCheck.fullUnicodeString()`, to: `FastCheck.string({ unit: "binary" })`, why: "fast-check 4" },
  { from: `$fc.fullUnicodeString()`, to: `$fc.string({ unit: "binary" })`, why: "fast-check 4" },
  { from: `$fc.fullUnicodeString($o)`, to: `$fc.string({ ...$o, unit: "binary" })`, why: "fast-check 4" },
  { from: `ConfigProvider.fromMap(new Map())`, to: `ConfigProvider.fromEnvRecord({})`, why: "removed" },
  {
    from: `ConfigProvider.mapInputPath(($x) => $f)`,
    to: `ConfigProvider.mapInput((path) => path.map(($x) => $f))`,
    why: renamed
  },
  { from: `Effect.when($condition)`, to: `Effect.when(Effect.sync($condition))`, why: "conditions are effects" },
  { from: `Cause.pretty($cause, { renderErrorCause: true })`, to: `Cause.pretty($cause)`, why: "it always does" },
  {
    from: `Cause.defects($cause)`,
    to: `$cause.reasons.filter(Cause.isDieReason).map(({ defect }) => defect)`,
    why: "a cause is a list of reasons"
  },
  { from: `Redacted.unsafeWipe`, to: `Redacted.wipeUnsafe`, why: renamed },
  { from: `HttpClientRequest.bodyUnsafeJson`, to: `HttpClientRequest.bodyJsonUnsafe`, why: renamed },
  { from: `Inspectable.toJSON`, to: `Inspectable.toJson`, why: renamed },
  { from: `Stream.toAsyncIterableRuntime`, to: `Stream.toAsyncIterableWith`, why: renamed },
  { from: `Stream.provideSomeLayer`, to: `Stream.provide`, why: renamed },
  { from: `Layer.setConfigProvider`, to: `ConfigProvider.layer`, why: "moved" },
  { from: `Logger.logfmtLogger`, to: `Logger.formatLogFmt`, why: renamed },
  { from: `Logger.stringLogger`, to: `Logger.formatSimple`, why: renamed },
  { from: `Logger.jsonLogger`, to: `Logger.formatJson`, why: renamed },
  { from: `Effect.orElse`, to: `Effect.catch`, why: "removed" },
  { from: `Effect.unsafeMakeSemaphore`, to: `Semaphore.makeUnsafe`, why: "moved" },
  { from: `Logger.add($logger)`, to: `Logger.layer([$logger], { mergeWithExisting: true })`, why: "loggers are a set" },
  { from: `Layer.setTracer($tracer)`, to: `Layer.succeed(Tracer.Tracer, $tracer)`, why: "the tracer is a Reference" },
  { from: `Effect.locally($ref, $value)`, to: `Effect.provideService($ref, $value)`, why: "FiberRefs are References" },
  {
    from: `FiberRef.unsafeMake<$$T>($value)`,
    to: `Context.Reference<$$T>("test/FiberRef", { defaultValue: () => $value })`,
    why: "FiberRefs are References"
  },
  {
    from: `Effect.forkAll($all)`,
    to: `Effect.forkChild(Effect.all($all, { concurrency: "unbounded" }), { startImmediately: true })`,
    why: "removed"
  },
  { from: `Effect.repeatN($n)`, to: `Effect.repeat({ times: $n })`, why: "removed" },
  {
    from: `Effect.timeoutFail({ duration: $duration, onTimeout: $error })`,
    to: `Effect.timeoutOrElse({ duration: $duration, orElse: () => Effect.fail(($error)()) })`,
    why: "removed"
  },
  {
    from: `Effect.logAnnotations`,
    to: `Effect.map(References.CurrentLogAnnotations, Object.entries)`,
    why: "FiberRefs are References"
  },
  {
    from: `Exit.getOrElse($exit, $f)`,
    to: `(Exit.isSuccess($exit) ? $exit.value : ($f)())`,
    why: "removed"
  },
  {
    from: `Fiber.interrupt($fiber)`,
    to: `Effect.andThen(Fiber.interrupt($fiber), Fiber.await($fiber))`,
    why: "its exit is no longer the result"
  },
  {
    from: `Metric.tagged($name, $value)`,
    to: `Metric.withAttributes({ [$name]: $value })`,
    why: "tags are attributes"
  },
  {
    from: `Metric.tagged($metric, $name, $value)`,
    to: `Metric.withAttributes($metric, { [$name]: $value })`,
    why: "tags are attributes"
  },
  {
    from: `Effect.map($effect, Chunk.unsafeFromArray)`,
    to: `$effect`,
    why: "streams carry arrays"
  },
  { from: `Chunk.map($all, $f)`, to: `$all.map($f)`, why: "streams are collected into arrays" },
  { from: `Schema.Literal($a, $b)`, to: `Schema.Literals([$a, $b])`, why: "one literal is another schema" },
  { from: `Schema.Union($$members)`, to: `Schema.Union([$$members])`, why: "members are a list" },
  { from: `Schema.Tuple($$elements)`, to: `Schema.Tuple([$$elements])`, why: "elements are a list" },
  { from: `Schema.Record({ key: $key, value: $value })`, to: `Schema.Record($key, $value)`, why: "two arguments" },
  { from: `Schema.Schema.Any`, to: `Schema.Top`, why: renamed },
  { from: `Schema.Struct.Field`, to: `Schema.Top`, why: renamed },
  { from: `Schema.Object`, to: `Schema.ObjectKeyword`, why: renamed },
  {
    from: `NodeKeyValueStore.layerFileSystem($path)`,
    to: `Layer.provide(KeyValueStore.layerFileSystem($path), NodeServices.layer)`,
    why: "removed"
  },
  { from: `Persistence.layerKeyValueStore`, to: `Persistence.layerBackingKvs`, why: renamed },
  {
    from: `$schema.pipe(Schema.between($least, $most))`,
    to: `$schema.check(Schema.isBetween({ minimum: $least, maximum: $most }))`,
    why: "filters are checks"
  },
  { from: `Chunk.size($all)`, to: `$all.length`, why: "streams are collected into arrays" },
  { from: `Chunk.unsafeLast($all)`, to: `$all.at(-1)!`, why: "streams are collected into arrays" },
  { from: `Chunk.reduce($all, $zero, $f)`, to: `$all.reduce($f, $zero)`, why: "streams are collected into arrays" },
  { from: `Chunk.join($all, $by)`, to: `$all.join($by)`, why: "streams are collected into arrays" },
  { from: `Chunk.Chunk`, to: `ReadonlyArray`, why: "streams carry arrays" },
  { from: `$it.scopedLive`, to: `$it.live`, why: "every test has a scope", within: "@effect/vitest" },
  { from: `$it.scoped`, to: `$it.effect`, why: "every test has a scope", within: "@effect/vitest" },
  { from: `TestServices.provideLive($self)`, to: `TestClock.withLive($self)`, why: "moved" },
  { from: `TestServices.provideLive`, to: `TestClock.withLive`, why: "moved" },
  { from: `Logger.remove(Logger.defaultLogger)`, to: `Logger.layer([])`, why: "loggers are a set" },
  {
    from: `Logger.withMinimumLogLevel($level)`,
    to: `Effect.provideService(References.MinimumLogLevel, $level)`,
    why: "FiberRefs are References"
  },
  {
    from: `Logger.withMinimumLogLevel($self, $level)`,
    to: `Effect.provideService($self, References.MinimumLogLevel, $level)`,
    why: "FiberRefs are References"
  },
  {
    from: `Logger.minimumLogLevel($level)`,
    to: `Layer.succeed(References.MinimumLogLevel, $level)`,
    why: "FiberRefs are References"
  },
  { from: `$level.label`, to: `$level.toUpperCase()`, why: "levels are strings", within: "effect/Logger" },
  { from: `Chunk.toReadonlyArray`, to: `Array.from`, why: "streams are collected into arrays" },
  { from: `Chunk.toReadonlyArray($all)`, to: `Array.from($all)`, why: "streams are collected into arrays" },
  { from: `Chunk.toArray`, to: `Array.from`, why: "streams are collected into arrays" },
  { from: `Fiber.poll($fiber)`, to: `Effect.sync(() => Option.fromNullishOr($fiber.pollUnsafe()))`, why: "removed" }
]

export const rules: ReadonlyArray<Rule> = [
  ...testing,
  ...names.map(([from, to, why = renamed]): Rule => ({ from, to, why })),
  ...calls
]
