/** `clientele run` as a child process. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export const CLIENTELE = fileURLToPath(new URL("../cli/main.js", import.meta.resolve("clientele/testing/Sandbox")))

/** Files that a run may open. */
export const OPEN_FILES = 1024

/** The last line of `--json`; `null` is a figure that can't be had here. Times are milliseconds. */
export interface End {
  readonly event: "end"
  readonly exitCode: number
  readonly done: number
  readonly failed: number
  readonly failures: Readonly<Record<string, number>>
  readonly elapsedMs: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly cpuMs: number
  readonly peakOpenFiles: number | null
  readonly clientsBuilt: number
  readonly clientHits: number
}

interface Progress {
  readonly event: "progress"
  readonly done: number
  readonly failed: number
  readonly running: number
}

type Message = End | Progress | { readonly event: "note" }

/** In a process group of its own: Ctrl-C reaches it once, from here. */
const begin = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv, stdout: "inherit" | "pipe") => {
  const limited = `ulimit -n ${OPEN_FILES}; exec "$@"`
  const child = spawn("sh", ["-c", limited, "sh", process.execPath, CLIENTELE, "run", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout, "inherit"],
    detached: true
  })
  const forward = (signal: NodeJS.Signals) => void child.kill(signal)
  const signals = ["SIGINT", "SIGTERM"] as const
  for (const signal of signals) process.on(signal, forward)
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code) => {
      for (const signal of signals) process.off(signal, forward)
      resolve(code ?? 1)
    })
  })
  return { child, ended }
}

/** Shown by the command itself. Resolves to its exit code. */
export const watched = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<number> =>
  begin(args, env, "inherit").ended

/** Shown in one line, which `show` prints. Resolves to its figures, or to its exit code if it has none. */
export const measured = async (
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  show: (progress: Progress) => void
): Promise<End | number> => {
  const { child, ended } = begin([...args, "--json"], env, "pipe")
  let end: End | undefined
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line) as Message
      if (message.event === "progress") show(message)
      if (message.event === "end") end = message
    })
  }
  const code = await ended
  return end ?? code
}
