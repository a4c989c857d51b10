/** Requests that nobody answers: they end, and no later than their callers bear. */
import { assert, describe, it } from "vitest"
import { ours } from "./contenders.ts"
import { type Law, Provider, type Trouble } from "./provider.ts"
import { VirtualTime } from "./virtualTime.ts"

const lawOf = (trouble: Trouble, retryAfter?: number): Law => ({
  seed: 1,
  p: 1,
  trouble,
  outages: trouble === "refuse" || trouble === "stall" ? [{ from: 0, to: Infinity, trouble }] : [],
  capacity: Infinity,
  latency: 100,
  failLatency: 20,
  retryAfter,
  timeout: 2_000
})

/** When all of so many have ended, in ms, and how many requests were sent. */
const end = async (law: Law, agents: number) => {
  const time = new VirtualTime()
  const provider = new Provider(law, time)
  const ask = ours(provider, time, 1)
  let left = agents
  for (let row = 0; row < agents; row++) ask(row, () => left--)
  await time.run(() => left === 0)
  return { at: time.now, requests: provider.arrivals.length }
}

describe("requests to a provider that answers none", () => {
  const troubles: ReadonlyArray<readonly [what: string, trouble: Trouble, retryAfter?: number]> = [
    ["429", 429],
    ["429 with Retry-After: 1", 429, 1_000],
    ["429 with a Retry-After of a millisecond", 429, 1],
    ["503", 503],
    ["503 with Retry-After: 30", 503, 30_000],
    ["500", 500],
    ["resets", "reset"],
    ["refused connections", "refuse"],
    ["silence", "stall"]
  ]
  for (const [what, trouble, retryAfter] of troubles) {
    for (const agents of [1, 300]) {
      it(`but ${what} end within maxRetryAfter and their attempts, of ${agents}`, async () => {
        const { at, requests } = await end(lawOf(trouble, retryAfter), agents)
        // A minute, three attempts of 2 s, and two pauses.
        assert.isAtMost(at, 60_000 + 6_000 + 1_500 + 1_000)
        // Each may be sent three times, and ten probes a second go beside.
        assert.isAtMost(requests, 3 * agents + (10 * at) / 1_000)
      })
    }
  }
})
