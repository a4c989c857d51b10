/** The tables of docs/metrics.md and the metrics themselves. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Redacted from "effect/Redacted"
import * as GroqClient from "../../src/GroqClient.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"

interface Row {
  readonly kind: string
  readonly unit: string
  readonly labels: ReadonlySet<string>
}

const documented = (): ReadonlyMap<string, Row> => {
  const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8")
  const rows = text.matchAll(/^\| `([^`]+)` \| (\w+) \| `([^`]+)`[^|]*\|([^|]*)\|$/gm)
  return new Map(
    [...rows].map(([, name, kind, unit, labels]) => [
      name!,
      { kind: kind!, unit: unit!, labels: new Set([...labels!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)) }
    ])
  )
}

const kindOf = (state: unknown): string =>
  MetricState.isCounterState(state as never)
    ? "counter"
    : MetricState.isGaugeState(state as never)
      ? "gauge"
      : "histogram"

const isMetric = (u: object): u is Metric.Metric<unknown, unknown, unknown> => Metric.MetricTypeId in u

it.effect("docs/metrics.md has each metric, its kind, its unit, and all of its labels", () =>
  Effect.gen(function* () {
    // A budget that is in use, and closed.
    const quota = { requestsPerMinute: 60, tokensPerMinute: 10_000, maxConcurrency: 4 }
    yield* GroqClient.use({ apiKey: Redacted.make("sk"), quota, maxRetries: 0 }, (groq) =>
      groq.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
    ).pipe(Effect.flip)
    for (const metric of Object.values(Telemetry)) if (isMetric(metric)) yield* Metric.value(metric)
    yield* Telemetry.prometheus
    const rows = documented()
    const found = new Map<string, Omit<Row, "labels">>()
    for (const { metricKey, metricState } of Metric.unsafeSnapshot()) {
      const { name, tags } = metricKey
      if (!/^(clientele|gen_ai|http)\./.test(name)) continue
      found.set(name, { kind: kindOf(metricState), unit: tags.find(({ key }) => key === "unit")?.value ?? "" })
      const labels = tags.filter(({ key }) => key !== "unit")
      for (const { key } of labels) assert.isTrue(rows.get(name)?.labels.has(key), `${name} has the label ${key}`)
    }
    assert.deepStrictEqual(
      [...found].toSorted(),
      [...rows].map(([name, { kind, unit }]) => [name, { kind, unit }] as const).toSorted()
    )
  }).pipe(
    Effect.provide(
      ClientMapTest.layer({
        script: () => ({ status: 429, headers: { "retry-after": "30" }, body: { error: { message: "no" } } })
      })
    )
  )
)
