/** A sandbox in a process of its own, so that the server's work is in nobody's figures. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export interface Server {
  readonly origin: string
  readonly port: number
  readonly baseURL: string
  readonly ca: string
  /** What it counted since the last reset. */
  readonly stats: () => Promise<Counts>
  readonly reset: () => Promise<void>
}

export interface Counts {
  readonly connections: { readonly open: number; readonly peak: number; readonly total: number }
  readonly requests: number
  readonly peakInFlight: number
}

interface Line {
  readonly origin: string
  readonly port: number
  readonly controlOrigin: string
  readonly baseURL: { readonly openai: string }
  readonly ca: string
}

const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url))

/** Starts `clientele sandbox` with these flags for as long as `use` runs. */
export const withServer = async <A>(flags: ReadonlyArray<string>, use: (server: Server) => Promise<A>): Promise<A> => {
  const child = spawn(process.execPath, [cli, "sandbox", "--json", "--stdin-close", ...flags], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  try {
    const line = await new Promise<Line>((resolve, reject) => {
      createInterface(child.stdout).once("line", (text) => resolve(JSON.parse(text) as Line))
      child.once("error", reject)
      child.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}`)))
    })
    return await use({
      origin: line.origin,
      port: line.port,
      baseURL: line.baseURL.openai,
      ca: line.ca,
      stats: async () => (await (await fetch(`${line.controlOrigin}/__sandbox/stats`)).json()) as Counts,
      reset: async () => void (await fetch(`${line.controlOrigin}/__sandbox/reset`, { method: "POST" }))
    })
  } finally {
    child.stdin.end()
  }
}
