/** Time until a script exits that has its answer and nothing else to do. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { text } from "node:stream/consumers"
import { type Bench, type Figure, interleaved, median, spread } from "./bench.ts"
import type { Work } from "./promiseExitWorker.ts"
import { type Server, withServer } from "./server.ts"

const worker = fileURLToPath(new URL("promiseExitWorker.ts", import.meta.url))

/** Turns for each run: one process is quick, and its end a matter of luck. */
const TURNS = 5

/** Milliseconds from the end of its main to the end of the process, as another process sees it. */
const ending = async (work: Work): Promise<number> => {
  const child = spawn(process.execPath, [worker, JSON.stringify(work)], { stdio: ["ignore", "pipe", "inherit"] })
  const gone = new Promise<number>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      if (code === 0) resolve(performance.timeOrigin + performance.now())
      else reject(new Error(`${work.variant} ended with ${signal ?? code}`))
    })
  })
  const [at, said] = await Promise.all([gone, text(child.stdout)])
  return at - Number(said)
}

const variant =
  (name: Work["variant"], { baseURL, ca }: Server) =>
  () =>
    ending({ variant: name, baseURL, ca })

export const promiseExit: Bench = {
  name: "promise-exit",
  about: "from the end of main to the end of the process, after one chat request",
  run: ({ runs }) =>
    withServer(["--protocol", "http/1.1"], (h1) =>
      withServer(["--protocol", "both", "--tls"], async (tls) => {
        const results = await interleaved(
          {
            "no request": variant("nothing", h1),
            "openai, HTTP/1.1": variant("openai", h1),
            "getOpenAIClient, HTTP/1.1": variant("getOpenAIClient", h1),
            "openai, HTTP/1.1 with TLS": variant("openai", tls),
            "getOpenAIClient, HTTP/2 with TLS": variant("getOpenAIClient", tls)
          },
          runs * TURNS
        )
        return Object.entries(results).map(([what, all]): Figure => ({
          what,
          value: median(all),
          unit: "ms",
          note: `turns ${spread(all, 0)}`
        }))
      })
    )
}
