/**
 * The policy under troubles drawn at random, in virtual time: this package's whole request path against the bare SDK's
 * retries, over the same draws. `DRAWS=10000 npx vitest run test/overload/draws.test.ts` tries that many, from
 * `FIRST=n` on, and `SEED=n` one.
 */
import { assert, it } from "vitest"
import { bareSdk, ours } from "./contenders.ts"
import { drawOf } from "./draws.ts"
import { run } from "./run.ts"
import { judge } from "./targets.ts"

const draws = Number(process.env["DRAWS"] ?? 150)
const first = Number(process.env["SEED"] ?? process.env["FIRST"] ?? 1)
const isOne = process.env["SEED"] !== undefined

interface Worst {
  ratio: number
  seed: number
  broken: number
  of: number
}

it(`agents fare no worse than with the bare SDK, in ${draws} draws`, async () => {
  const worst = new Map<string, Worst>()
  let broken = 0
  const last = isOne ? first : first + draws - 1
  for (let seed = first; seed <= last; seed++) {
    const draw = drawOf(seed)
    const [mine, bare] = [await run(draw, ours), await run(draw, bareSdk)]
    if (isOne) console.log(JSON.stringify(draw), judge(draw, mine, bare), facts(mine), facts(bare))
    let isBroken = false
    for (const { ratio, target } of judge(draw, mine, bare)) {
      const known = worst.get(target) ?? { ratio: 0, seed: 0, broken: 0, of: 0 }
      worst.set(target, known)
      known.of++
      if (ratio > 1) {
        known.broken++
        isBroken = true
      }
      if (ratio > known.ratio) Object.assign(known, { ratio, seed })
    }
    if (isBroken) broken++
  }
  for (const [target, { broken: times, of, ratio, seed }] of worst) {
    console.log(`${target}: missed in ${times} of ${of}; worst ${ratio.toFixed(2)} of the target (SEED=${seed})`)
  }
  console.log(`${broken} of ${draws} draws broken`)
  assert.isAtMost(broken, draws * 0.05)
}, 3_600_000)

const facts = ({ answered, failed, requests }: Awaited<ReturnType<typeof run>>) => ({ answered, failed, requests })
