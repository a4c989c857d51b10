/**
 * Metrics of models and agents by the conventions for generative AI (OpenTelemetry, "Generative AI client metrics",
 * status Development). Labels take few values whatever the number of keys, configs and prompts.
 */
import { bounded, OTHER } from "./bounded.ts"
import * as Series from "../otel/series.ts"

/** Seconds: 0.01 doubling to 81.92, as the conventions advise. */
export const durationKey = Series.histogram(
  "gen_ai.client.operation.duration",
  "s",
  [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
  "Seconds of an operation of a model or an agent"
)

/** Tokens: 1, 4, 16 ... 67108864, as the conventions advise. */
export const tokensKey = Series.histogram(
  "gen_ai.client.token.usage",
  "{token}",
  Array.from({ length: 14 }, (_, i) => 4 ** i),
  "Tokens of a call, of the prompt and of the answer"
)

/** Seconds from the call to the first chunk of a stream: 0.001 and on, as the conventions advise. */
export const firstChunkKey = Series.histogram(
  "gen_ai.client.operation.time_to_first_chunk",
  "s",
  [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  "Seconds from the call to the first chunk of its stream"
)

/** Attributes that distinguish operations. */
export interface Operation {
  readonly operation: string
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly agent?: string | undefined
}

const labelsOf = ({ agent, model, operation, provider }: Operation): Series.Labels => {
  const labels: Array<readonly [string, string]> = [["gen_ai.operation.name", operation]]
  if (provider !== undefined) labels.push(["gen_ai.provider.name", provider])
  if (model !== undefined) labels.push(["gen_ai.request.model", bounded("model", model)])
  if (agent !== undefined) labels.push(["gen_ai.agent.name", bounded("agent", agent)])
  return labels
}

/** Instruments of the calls of one operation. A series is made when there is something to be recorded in it. */
export interface Instruments {
  /** Seconds, with the type of the error if there was one. */
  readonly duration: (seconds: number, error: string | undefined) => void
  readonly tokens: (type: "input" | "output", count: number) => void
  readonly firstChunk: (seconds: number) => void
}

/** `isExported` is what `Series.open` takes. */
export const make = (operation: Operation, isExported = false): Instruments => {
  const labels = labelsOf(operation)
  const open = (key: typeof durationKey, label?: string, value?: string): Series.Series =>
    Series.open(
      key,
      label === undefined || value === undefined ? labels : [...labels, [label, value] as const],
      isExported
    )
  const durations = new Map<string | undefined, Series.Series>()
  const tokens: { [type in "input" | "output"]?: Series.Series } = {}
  let firstChunk: Series.Series | undefined
  return {
    duration: (seconds, error) => {
      const type = error === undefined ? undefined : bounded("error", error)
      let hook = durations.get(type)
      if (hook === undefined) durations.set(type, (hook = open(durationKey, "error.type", type)))
      hook.update(seconds)
    },
    tokens: (type, count) => (tokens[type] ??= open(tokensKey, "gen_ai.token.type", type)).update(count),
    firstChunk: (seconds) => (firstChunk ??= open(firstChunkKey)).update(seconds)
  }
}

/** Hosts by which an HttpClient recognizes a provider, with the names of the conventions. */
const hosts: ReadonlyArray<readonly [host: RegExp, name: string]> = [
  [/(^|\.)openai\.com$/, "openai"],
  [/\.openai\.azure\.com$/, "azure.ai.openai"],
  [/(^|\.)anthropic\.com$/, "anthropic"],
  [/(^|\.)groq\.com$/, "groq"],
  [/(^|\.)cerebras\.ai$/, "cerebras"],
  [/(^|\.)mistral\.ai$/, "mistral_ai"],
  [/(^|\.)deepseek\.com$/, "deepseek"],
  [/(^|\.)x\.ai$/, "x_ai"]
]

/** Name of a provider of ours in the conventions. */
export const providerName = (provider: string, host: string): string => {
  if (provider === "azure") return "azure.ai.openai"
  return provider === "http" ? (hosts.find(([one]) => one.test(host))?.[1] ?? OTHER) : provider
}
