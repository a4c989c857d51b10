/** Metrics as the text that Prometheus reads (its "Text-based format", version 0.0.4). */
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import { labelsOf } from "../otel/series.ts"

type Labels = ReadonlyArray<readonly [name: string, value: string]>

/** Letters, digits and `_`: the conventions' dots are none of them. */
const nameOf = (name: string): string => name.replace(/[^a-zA-Z0-9_:]/g, "_")

const escaped = (value: string): string => value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")

const labelled = (labels: Labels): string =>
  labels.length === 0 ? "" : `{${labels.map(([name, value]) => `${nameOf(name)}="${escaped(value)}"`).join(",")}}`

const number = (value: number | bigint): string => (value === Infinity ? "+Inf" : String(value))

interface Family {
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly lines: Array<string>
}

const histogram = (name: string, labels: Labels, state: MetricState.MetricState.Histogram): ReadonlyArray<string> => [
  ...state.buckets.map(([most, count]) => `${name}_bucket${labelled([...labels, ["le", number(most)]])} ${count}`),
  `${name}_bucket${labelled([...labels, ["le", "+Inf"]])} ${state.count}`,
  `${name}_sum${labelled(labels)} ${number(state.sum)}`,
  `${name}_count${labelled(labels)} ${state.count}`
]

/** Frequencies and summaries, which nothing here makes, are left out. */
export const format = (pairs: ReadonlyArray<MetricPair.MetricPair.Untyped>): string => {
  const families = new Map<string, Family>()
  for (const { metricKey, metricState } of pairs) {
    const labels: Labels = labelsOf(metricKey).map(({ key, value }) => [key, value])
    const base = nameOf(metricKey.name)
    const add = (name: string, type: Family["type"], lines: ReadonlyArray<string>): void => {
      let family = families.get(name)
      if (family === undefined) {
        const help = metricKey.description._tag === "Some" ? metricKey.description.value : metricKey.name
        families.set(name, (family = { type, help, lines: [] }))
      }
      family.lines.push(...lines)
    }
    if (MetricState.isCounterState(metricState)) {
      add(`${base}_total`, "counter", [`${base}_total${labelled(labels)} ${number(metricState.count)}`])
    } else if (MetricState.isGaugeState(metricState)) {
      add(base, "gauge", [`${base}${labelled(labels)} ${number(metricState.value)}`])
    } else if (MetricState.isHistogramState(metricState)) {
      add(base, "histogram", histogram(base, labels, metricState))
    }
  }
  return [...families]
    .map(
      ([name, { help, lines, type }]) =>
        `# HELP ${name} ${help.replace(/\n/g, " ")}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`
    )
    .join("")
}
