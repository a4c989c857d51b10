/** A storm of aborts: two of three requests are given up, in line, before their headers or in mid body; the third must be whole. */
import type { WirePool } from "../../src/internal/http/types.ts"

const words = "data data data data "

/** Answers with four words, 5 ms apart. */
export const drip = (_: unknown, response: NodeJS.WritableStream & { readonly destroyed?: boolean }): void => {
  let left = 4
  const timer = setInterval(() => {
    if (response.destroyed !== true) {
      response.write("data ")
      if (--left > 0) return
      response.end()
    }
    clearInterval(timer)
  }, 5)
  response.on("error", () => undefined)
  response.on("close", () => clearInterval(timer))
}

export interface Storm {
  readonly requests: number
  readonly aborts: number
  /** Failures of requests that were not aborted: errors and incomplete answers. */
  readonly lost: ReadonlyArray<string>
}

const timeouts = { headers: 60_000, body: 60_000 }

/** Goes on until so many have been aborted, with 200 at the same time. */
export const storm = async (pool: WirePool, aborts: number): Promise<Storm> => {
  const lost: Array<string> = []
  let requests = 0
  let aborted = 0
  const one = async (): Promise<void> => {
    const i = requests++
    const abort = new AbortController()
    const doomed = i % 3 > 0
    // As long as a whole answer takes, at most: some come too late, most do not.
    if (doomed) setTimeout(() => abort.abort(), (i * 7) % 25)
    try {
      const request = { method: "GET", path: "/", headers: {}, body: undefined, signal: abort.signal, timeouts }
      const { body } = await pool.request(request)
      let text = ""
      for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
        text += Buffer.from(chunk).toString()
      }
      if (text !== words) lost.push(`incomplete: ${text}`)
    } catch (error) {
      if (abort.signal.aborted) aborted++
      else lost.push(String(error))
    }
  }
  const enough = (): boolean => aborted >= aborts
  const agent = async (): Promise<void> => {
    while (!enough()) await one()
  }
  await Promise.all(Array.from({ length: 200 }, agent))
  return { requests, aborts: aborted, lost }
}
