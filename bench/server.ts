/** A sandbox in a process of its own, so that the server's work is in nobody's figures. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export interface Server {
  readonly origin: string
  readonly port: number
  readonly baseURL: string
  readonly ca: string
  /** Counts since the last reset. */
  readonly stats: () => Promise<Counts>
  readonly reset: () => Promise<void>
  /** From now on so many requests at the same time, of each key and model. */
  readonly maxConcurrency: (limit: number) => Promise<void>
}

export interface Counts {
  readonly connections: { readonly open: number; readonly peak: number; readonly total: number }
  readonly requests: number
  readonly inFlight: number
  readonly peakInFlight: number
  /** Responses that have ended. */
  readonly responsesByStatus: Readonly<Record<string, number>>
  /** Responses with status 429. */
  readonly rateLimited: number
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
    const post = async (path: string, body?: object): Promise<void> => {
      const init = body === undefined ? { method: "POST" } : { method: "POST", body: JSON.stringify(body) }
      const { ok, status } = await fetch(`${line.controlOrigin}/__sandbox/${path}`, init)
      if (!ok) throw new Error(`the sandbox answers ${status} to ${path}`)
    }
    return await use({
      origin: line.origin,
      port: line.port,
      baseURL: line.baseURL.openai,
      ca: line.ca,
      stats: async () => (await (await fetch(`${line.controlOrigin}/__sandbox/stats`)).json()) as Counts,
      reset: () => post("reset"),
      maxConcurrency: (limit) => post("limit", { maxConcurrency: limit })
    })
  } finally {
    child.stdin.end()
  }
}
