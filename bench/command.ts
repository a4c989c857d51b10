/** Time that the command takes to begin: to print its help, and to send the first request of a run. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Bench, interleaved, median, round, spread } from "./bench.ts"

const COMMAND = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url))

/** A start takes a fraction of a second and varies by a third: more runs than other benches have. */
const TIMES = 5

/** Milliseconds until a process of this Node has ended. */
const ended = (args: ReadonlyArray<string>, cwd?: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const start = performance.now()
    const child = spawn(process.execPath, args, { stdio: "ignore", cwd })
    child.on("error", reject)
    child.on("close", (code) =>
      code === 0 ? resolve(performance.now() - start) : reject(new Error(`${args.join(" ")} ended with ${code}`))
    )
  })

const ANSWER = JSON.stringify({
  id: "1",
  object: "chat.completion",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
})

/** Milliseconds from the start of a process until its first request is here. */
const firstRequest = async (folder: string): Promise<number> => {
  let came: number | undefined
  const server = createServer((request, response) => {
    came ??= performance.now()
    request.resume().on("end", () => response.setHeader("content-type", "application/json").end(ANSWER))
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const start = performance.now()
  const args = ["run", "rows.csv", "--prompt", "{{a}}", "--model", "m", "--base-url", url, "--out", "-", "--quiet"]
  await ended([COMMAND, ...args], folder)
  server.close()
  if (came === undefined) throw new Error("no request came")
  return came - start
}

export const command: Bench = {
  name: "command",
  about: "the command's start, in fresh processes",
  run: async ({ runs }) => {
    const folder = mkdtempSync(join(tmpdir(), "clientele-command-"))
    try {
      writeFileSync(join(folder, "rows.csv"), "a\n1\n")
      const variants = {
        nothing: () => ended(["-e", "0"]),
        help: () => ended([COMMAND, "--help"]),
        "help of run": () => ended([COMMAND, "run", "--help"]),
        run: () => firstRequest(folder)
      }
      // The first of each fills the caches of the disk, and of Node's compiler.
      await interleaved(variants, 1)
      const times = await interleaved(variants, runs * TIMES)
      const beyond = (name: "help" | "help of run") => median(times[name]) - median(times.nothing)
      const note = `node -e 0 takes ${round(median(times.nothing), 0)} ms`
      return [
        { what: "clientele --help, beyond node -e 0", value: beyond("help"), unit: "ms", atMost: 150, note },
        { what: "clientele run --help, beyond node -e 0", value: beyond("help of run"), unit: "ms", atMost: 150, note },
        {
          what: "clientele run, from its start to its first request",
          value: median(times.run),
          unit: "ms",
          atMost: 600,
          note: `runs ${spread(times.run, 0)} ms`
        }
      ]
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
