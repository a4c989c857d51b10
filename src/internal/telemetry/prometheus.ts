/** Metrics as the text that Prometheus reads (its "Text-based format", version 0.0.4). */
import type { SeriesSnapshot, SeriesState } from "../otel/seriesModel.ts"

type Labels = SeriesSnapshot["labels"]

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

const histogram = (
  name: string,
  labels: Labels,
  state: Extract<SeriesState, { readonly type: "histogram" }>
): ReadonlyArray<string> => [
  ...state.buckets.map(([most, count]) => `${name}_bucket${labelled([...labels, ["le", number(most)]])} ${count}`),
  `${name}_bucket${labelled([...labels, ["le", "+Inf"]])} ${state.count}`,
  `${name}_sum${labelled(labels)} ${number(state.sum)}`,
  `${name}_count${labelled(labels)} ${state.count}`
]

export const format = (snapshots: ReadonlyArray<SeriesSnapshot>): string => {
  const families = new Map<string, Family>()
  for (const { description, labels, name, state } of snapshots) {
    const base = nameOf(name)
    const add = (family: string, lines: ReadonlyArray<string>): void => {
      let known = families.get(family)
      if (known === undefined) {
        families.set(family, (known = { type: state.type, help: description ?? name, lines: [] }))
      }
      known.lines.push(...lines)
    }
    if (state.type === "histogram") add(base, histogram(base, labels, state))
    else {
      const family = state.type === "counter" ? `${base}_total` : base
      add(family, [`${family}${labelled(labels)} ${number(state.value)}`])
    }
  }
  return [...families]
    .map(
      ([name, { help, lines, type }]) =>
        `# HELP ${name} ${help.replace(/\n/g, " ")}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`
    )
    .join("")
}
