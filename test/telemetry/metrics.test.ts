/** The tables of docs/metrics.md and the metrics themselves. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as GroqClient from "../../src/GroqClient.ts"
import * as Telemetry from "../../src/Telemetry.ts"
import * as ClientMapTest from "../../src/testing/ClientMapTest.ts"
import { allSeries, isMetric } from "../support/metrics.ts"

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

it.effect("docs/metrics.md has each metric, its kind, its unit, and all of its labels", () =>
  Effect.gen(function* () {
    // A budget that is in use, and closed.
    const quota = { requestsPerMinute: 60, tokensPerMinute: 10_000, maxConcurrency: 4 }
    yield* GroqClient.use({ apiKey: Redacted.make("sk"), quota, maxRetries: 0 }, (groq) =>
      groq.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
    ).pipe(Effect.flip)
    for (const metric of Object.values<object>(Telemetry)) if (isMetric(metric)) yield* Metric.value(metric)
    yield* Telemetry.prometheus
    const rows = documented()
    const found = new Map<string, Omit<Row, "labels">>()
    for (const { kind, labels, name, unit } of allSeries()) {
      if (!/^(clientele|gen_ai|http)\./.test(name)) continue
      found.set(name, { kind, unit: unit ?? "" })
      for (const key of Object.keys(labels))
        assert.isTrue(rows.get(name)?.labels.has(key), `${name} has the label ${key}`)
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
