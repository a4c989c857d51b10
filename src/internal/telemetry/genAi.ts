/**
 * Metrics of models and agents by the conventions for generative AI (OpenTelemetry, "Generative AI client metrics",
 * status Development). Labels take few values whatever the number of keys, configs and prompts.
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import { bounded } from "./bounded.ts"

/** Seconds: 0.01 doubling to 81.92, as the conventions advise. */
export const durationKey = MetricKey.histogram(
  "gen_ai.client.operation.duration",
  MetricBoundaries.fromIterable([
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92
  ]),
  "Seconds of an operation of a model or an agent"
)

/** Tokens: 1, 4, 16 ... 67108864, as the conventions advise. */
export const tokensKey = MetricKey.histogram(
  "gen_ai.client.token.usage",
  MetricBoundaries.fromIterable(Array.from({ length: 14 }, (_, i) => 4 ** i)),
  "Tokens of a call, those of the prompt and those of the answer"
)

/** Seconds from the call to the first chunk of a stream: 0.001 and on, as the conventions advise. */
export const firstChunkKey = MetricKey.histogram(
  "gen_ai.client.operation.time_to_first_chunk",
  MetricBoundaries.fromIterable([0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]),
  "Seconds from the call to the first chunk of its stream"
)

/** What an operation is told apart by. */
export interface Operation {
  readonly operation: string
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly agent?: string | undefined
}

const labelsOf = ({ agent, model, operation, provider }: Operation): ReadonlyArray<MetricLabel.MetricLabel> => {
  const labels = [MetricLabel.make("gen_ai.operation.name", operation)]
  if (provider !== undefined) labels.push(MetricLabel.make("gen_ai.provider.name", provider))
  if (model !== undefined) labels.push(MetricLabel.make("gen_ai.request.model", bounded("model", model)))
  if (agent !== undefined) labels.push(MetricLabel.make("gen_ai.agent.name", bounded("agent", agent)))
  return labels
}

/** Notes a value. */
export const histogram = (
  key: MetricKey.MetricKey.Histogram,
  operation: Operation,
  ...more: ReadonlyArray<MetricLabel.MetricLabel>
): ((value: number) => void) => {
  const hook = Metric.globalMetricRegistry.get(MetricKey.taggedWithLabels(key, [...labelsOf(operation), ...more]))
  return (value) => hook.update(value)
}

/** Notes seconds, with the type of the error if there was one. */
export const duration = (operation: Operation): ((seconds: number, error: string | undefined) => void) => {
  const key = MetricKey.taggedWithLabels(durationKey, labelsOf(operation))
  const made = new Map<string | undefined, { readonly update: (seconds: number) => void }>()
  return (seconds, error) => {
    const type = error === undefined ? undefined : bounded("error", error)
    let hook = made.get(type)
    if (hook === undefined) {
      const labelled = type === undefined ? key : MetricKey.tagged(key, "error.type", type)
      made.set(type, (hook = Metric.globalMetricRegistry.get(labelled)))
    }
    hook.update(seconds)
  }
}
