/** Modules of Effect by the names that rules have for them, of both majors. */

/** Modules that are elsewhere in Effect 4, with the name that they have there where it is another. */
const moves: Readonly<Record<string, string>> = {
  "effect/Either": "effect/Result",
  "effect/Mailbox": "effect/Queue",
  "effect/TestClock": "effect/testing/TestClock",
  "effect/FastCheck": "fast-check",
  "effect/ConfigError": "effect/Config",
  "effect/MetricState": "effect/Metric",
  "effect/MetricKey": "effect/Metric",
  "@effect/opentelemetry/Metrics": "@effect/opentelemetry/OtelMetrics",
  "@effect/opentelemetry/Otlp": "effect/observability/Otlp",
  "@effect/opentelemetry/Tracer": "@effect/opentelemetry/OtelTracer",
  "@effect/experimental/Sse": "effect/encoding/Sse",
  "@effect/experimental/Persistence": "effect/persistence/Persistence",
  "@effect/platform/KeyValueStore": "effect/persistence/KeyValueStore",
  "@effect/platform/FileSystem": "effect/FileSystem",
  "@effect/platform/Error": "effect/PlatformError"
}

/** Folders that moved whole. */
const folders: ReadonlyArray<readonly [from: string, to: string]> = [
  ["@effect/ai/", "effect/ai/"],
  ["@effect/platform/", "effect/http/"]
]

/** The path in Effect 4 of a module of Effect 3. */
export const movedTo = (module: string): string => {
  const whole = moves[module]
  if (whole !== undefined) return whole
  const folder = folders.find(([from]) => module.startsWith(from))
  return folder === undefined ? module : folder[1] + module.slice(folder[0].length)
}

const lastOf = (module: string): string => module.slice(module.lastIndexOf("/") + 1)

/** Names in rules that are not the last part of the module's path. */
const names: Readonly<Record<string, string>> = { FastCheck: "fast-check", Arr: "effect/Array" }

const FOLDERS_3: Readonly<Record<string, string>> = {
  AiError: "@effect/ai/",
  Chat: "@effect/ai/",
  EmbeddingModel: "@effect/ai/",
  IdGenerator: "@effect/ai/",
  LanguageModel: "@effect/ai/",
  Model: "@effect/ai/",
  Prompt: "@effect/ai/",
  Response: "@effect/ai/",
  Telemetry: "@effect/ai/",
  Tool: "@effect/ai/",
  Toolkit: "@effect/ai/",
  Headers: "@effect/platform/",
  HttpClient: "@effect/platform/",
  HttpClientError: "@effect/platform/",
  HttpClientRequest: "@effect/platform/",
  FetchHttpClient: "@effect/platform/",
  FileSystem: "@effect/platform/",
  KeyValueStore: "@effect/platform/",
  NodeKeyValueStore: "@effect/platform-node/",
  Sse: "@effect/experimental/",
  Persistence: "@effect/experimental/"
}

export const namespace3 = {
  nameOf: (module: string): string => (module === "effect/Array" ? "Arr" : lastOf(module)),
  moduleOf: (name: string): string | undefined =>
    name === "Arr" ? "effect/Array" : /^[A-Z]\w+$/.test(name) ? `${FOLDERS_3[name] ?? "effect/"}${name}` : undefined
}

const FOLDERS_4: Readonly<Record<string, string>> = {
  NodeServices: "@effect/platform-node/",
  TestClock: "effect/testing/",
  Base64: "effect/encoding/",
  Sse: "effect/encoding/"
}

export const namespace4 = {
  nameOf: (module: string): string =>
    module === "fast-check" ? "FastCheck" : module === "effect/Array" ? "Arr" : lastOf(module),
  moduleOf: (name: string): string => names[name] ?? `${FOLDERS_4[name] ?? folder4(name)}${name}`
}

const folder4 = (name: string): string => {
  const folder = FOLDERS_3[name]
  if (folder === "@effect/ai/") return "effect/ai/"
  if (folder === undefined || name === "FileSystem") return "effect/"
  return name === "KeyValueStore" || name === "Persistence" ? "effect/persistence/" : "effect/http/"
}
