/**
 * Trouble of many kinds, and what becomes of agents in it: through clientele (C), through one bare OpenAI client with its
 * own retries (O), and through that behind p-limit(64) (P).
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Bench, type Figure, round } from "./bench.ts"
import { columnsOf } from "./overload/measure.ts"
import { plotOf } from "./overload/plot.ts"
import type { Contender } from "./overload/protocol.ts"
import { type Outcome, runBatch } from "./overload/run.ts"
import { batches, type Scenario, secondsOf } from "./overload/scenario.ts"
import { outages } from "./overload/scenarios/outages.ts"
import { servers } from "./overload/scenarios/servers.ts"
import { statuses } from "./overload/scenarios/statuses.ts"
import { isMet, type Measured, tableOf, targetsOf } from "./overload/targets.ts"

const scenarios: ReadonlyArray<Scenario> = [...statuses, ...outages, ...servers]
const OUT = fileURLToPath(new URL("../out/overload/", import.meta.url))

const fileOf = (name: string): string => `${name.replaceAll(/[^A-Za-z0-9.]+/g, "-").replaceAll(/^-|-$/g, "")}.svg`

/** All seeds of a scenario, by contender. */
const measured = async (scenario: Scenario, seeds: number): Promise<Measured> => {
  const outcomes: Array<Outcome> = []
  for (const batch of batches(scenario, seeds)) {
    const runs = batch.map(({ contender, seed }) => `${contender}${seed}`).join(" ")
    process.stderr.write(`  ${scenario.name}: ${runs}\n`)
    outcomes.push(...(await runBatch(batch)))
  }
  const of = (contender: Contender) => columnsOf(outcomes.filter(({ job }) => job.contender === contender))
  return { C: of("C"), O: of("O"), P: of("P") }
}

/** Beyond this the CPU is measured, and not a policy. */
const LAG_MS = 200

const lags = ({ name }: Scenario, { C, O, P }: Measured): ReadonlyArray<string> => {
  const lag = Math.max(C.lag, O.lag, P.lag)
  return lag <= LAG_MS ? [] : [`${name}: short of CPU: an event loop was late by ${round(lag, 0)} ms`]
}

const broken = ({ name }: Scenario, error: unknown): Figure => ({
  what: `${name}: could not be run`,
  value: 1,
  unit: "runs",
  atMost: 0,
  note: error instanceof Error ? error.message : String(error)
})

const chosen = (quick: boolean, parts: ReadonlyArray<string> | undefined): ReadonlyArray<Scenario> => {
  const named = scenarios.filter(({ name }) => parts === undefined || parts.some((part) => name.includes(part)))
  if (named.length === 0)
    throw new Error(`no scenario has such a name; scenarios:\n${scenarios.map(({ name }) => name).join("\n")}`)
  // Named ones are wanted, short or not.
  return quick && parts === undefined ? named.filter(({ isQuick }) => isQuick === true) : named
}

export const overload: Bench = {
  name: "overload",
  about:
    "C clientele, O one OpenAI client, P that behind p-limit(64), in trouble of many kinds; plots in out/overload/",
  isLong: true,
  run: async ({ runs, quick, scenarios: parts, seeds = runs }) => {
    const all = chosen(quick, parts)
    const seconds = all.reduce((sum, scenario) => sum + secondsOf(scenario, seeds), 0)
    console.log(`${all.length} scenarios, ${seeds} seeds at the most: about ${round(seconds / 60, 0)} minutes`)
    mkdirSync(OUT, { recursive: true })
    const done: Array<readonly [Scenario, Measured]> = []
    const figures: Array<Figure> = []
    for (const [i, scenario] of all.entries()) {
      process.stderr.write(`  ${i + 1}/${all.length}\n`)
      try {
        const one = await measured(scenario, seeds)
        done.push([scenario, one])
        const targets = targetsOf(scenario, one)
        figures.push(...targets)
        for (const target of targets) if (!isMet(target)) process.stderr.write(`  missed: ${target.what}\n`)
        // Rewritten each time, so that an interrupted run leaves a table.
        writeFileSync(`${OUT}table.md`, tableOf(done))
        writeFileSync(`${OUT}${fileOf(scenario.name)}`, plotOf(scenario.name, one, scenario.trouble))
      } catch (error) {
        figures.push(broken(scenario, error))
      }
    }
    console.log(`\n${tableOf(done)}\n`)
    for (const one of done) for (const text of lags(...one)) console.log(text)
    for (const [{ name, note }] of done) if (note !== undefined) console.log(`${name}: ${note}`)
    const judged = figures.filter(({ atLeast, atMost }) => atLeast !== undefined || atMost !== undefined)
    console.log(`targets met: ${judged.filter(isMet).length} of ${judged.length}`)
    return figures
  }
}
