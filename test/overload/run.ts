/** One run: agents that ask row after row, until their time is over. */
import type { Contender } from "./contenders.ts"
import { Provider, type Law } from "./provider.ts"
import { randomOf, VirtualTime } from "./virtualTime.ts"

export interface Draw {
  readonly law: Law
  readonly agents: number
  /** Between an agent's rows, in ms. */
  readonly think: number
  /** No rows are begun after so many ms. */
  readonly until: number
}

export interface Outcome {
  readonly answered: number
  readonly failed: number
  readonly requests: number
  /** Times of answers, in order. */
  readonly answers: ReadonlyArray<number>
  readonly arrivals: ReadonlyArray<number>
  /** Latencies of answered rows, in order; failed ones are `Infinity`. */
  readonly latencies: ReadonlyArray<number>
}

type Make = (provider: Provider, time: VirtualTime, seed: number) => Contender

export const run = async ({ agents, law, think, until }: Draw, make: Make): Promise<Outcome> => {
  const time = new VirtualTime()
  const provider = new Provider(law, time)
  const random = Math.random
  Math.random = randomOf(law.seed)
  const answers: Array<number> = []
  const latencies: Array<number> = []
  let failed = 0
  let row = 0
  let left = agents
  try {
    const ask = make(provider, time, law.seed)
    const next = (): void => {
      if (time.now >= until) return void left--
      const since = time.now
      ask(row++, (isAnswered) => {
        if (isAnswered) answers.push(time.now)
        else failed++
        latencies.push(isAnswered ? time.now - since : Infinity)
        time.after(think, next)
      })
    }
    for (let agent = 0; agent < agents; agent++) time.after((300 * agent) / agents, next)
    await time.run(() => left === 0)
  } finally {
    Math.random = random
  }
  latencies.sort((a, b) => a - b)
  const { arrivals } = provider
  return { answered: answers.length, failed, requests: arrivals.length, answers, arrivals, latencies }
}
