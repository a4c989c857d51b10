import { assert, it } from "vitest"
import * as Series from "../../src/internal/otel/series.ts"
import { snapshot } from "../../src/internal/otel/snapshot.ts"
import * as Prometheus from "../../src/internal/telemetry/prometheus.ts"

const wait = Series.histogram("test.wait", "s", [0.1, 1], "Waits of a test")
const held = Series.gauge("test.held", "{lease}", "Leases of a test")
const told = Series.counter("test.told", "{line}", "Lines of a test")

it("a snapshot has each series once, and Prometheus's text one line for each of its numbers", () => {
  for (const seconds of [0.05, 0.5, 5]) Series.open(wait, [["kind", "a"]], false).update(seconds)
  Series.open(held, [], false).update(3)
  Series.open(told, [], false).update(2)
  const ours = snapshot().filter(({ name }) => name.startsWith("test."))
  const lines = Prometheus.format(ours)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
  assert.deepStrictEqual(lines.toSorted(), [
    "test_held 3",
    "test_told_total 2",
    'test_wait_bucket{kind="a",le="+Inf"} 3',
    'test_wait_bucket{kind="a",le="0.1"} 1',
    'test_wait_bucket{kind="a",le="1"} 2',
    'test_wait_count{kind="a"} 3',
    'test_wait_sum{kind="a"} 5.55'
  ])
})
