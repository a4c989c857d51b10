/** The sandbox, a stand-in for the three providers, in a process of its own. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { CLIENTELE } from "./command.ts"
import type { ProviderName } from "./setups.ts"

export interface Sandbox {
  readonly baseURL: Readonly<Record<ProviderName, string>>
  readonly resetCounts: () => Promise<unknown>
  /** Most connections at one time since the counts were reset. */
  readonly peakSockets: () => Promise<number>
  readonly close: () => void
}

interface Started {
  readonly controlOrigin: string
  readonly baseURL: Sandbox["baseURL"]
}

interface Stats {
  readonly connections: { readonly peak: number }
}

/** `latency` is milliseconds for an answer; the certificate authority is written to `caFile`. */
export const start = async (latency: number, caFile: string): Promise<Sandbox> => {
  const flags = ["--tls", "--write-ca", caFile, "--latency", `${latency}`, "--json", "--stdin-close"]
  // A group of its own, so that Ctrl-C does not end it before the run that it answers. It ends with its standard input.
  const child = spawn(process.execPath, [CLIENTELE, "sandbox", ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true
  })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve)
    child.once("close", (code) => reject(new Error(`the sandbox ended with exit code ${code}`)))
  })
  const { baseURL, controlOrigin } = JSON.parse(line) as Started
  const control = async (path: string, method: string): Promise<unknown> =>
    (await fetch(`${controlOrigin}/__sandbox/${path}`, { method })).json()
  return {
    baseURL,
    resetCounts: () => control("reset", "POST"),
    peakSockets: async () => ((await control("stats", "GET")) as Stats).connections.peak,
    close: () => child.stdin.end()
  }
}
