/** A crowd of calls of a language model, whichever library it is of. */
import { input } from "./child.ts"
import { question } from "./question.ts"

/** The work of each variant's process. */
export interface Calls {
  readonly baseURL: string
  /** At the same time. */
  readonly atOnce: number
  readonly warmUp: number
  readonly calls: number
}

export interface Cost {
  /** CPU of a call in microseconds, in all threads of this process. */
  readonly us: number
  /** Milliseconds of a call. */
  readonly p99: number
  /** Heap in use after all calls, in MB. */
  readonly heap: number
}

const { atOnce, calls, warmUp } = input<Calls>()
export const apiKey = "sk-bench-0"
export const model = question(0).model

export const promptOf = (i: number): string => question(i).messages[0]!.content

/** `size` calls, always `atOnce` of them. */
const crowd = async (size: number, call: (i: number) => Promise<unknown>): Promise<ReadonlyArray<number>> => {
  const took: Array<number> = []
  let next = 0
  const worker = async () => {
    while (next < size) {
      const from = performance.now()
      await call(next++)
      took.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return took
}

export const measured = async (call: (i: number) => Promise<unknown>): Promise<Cost> => {
  await crowd(warmUp, call)
  const from = process.cpuUsage()
  const took = await crowd(calls, call)
  const { system, user } = process.cpuUsage(from)
  const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? NaN
  globalThis.gc?.()
  return { us: (system + user) / calls, p99, heap: process.memoryUsage().heapUsed / 1e6 }
}
