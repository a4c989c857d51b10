/** The other end of `server.ts`: starts it, and talks with it. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Strike } from "./nemesis.ts"
import type { Asked, Counts, Message, Ports, Said } from "./server.ts"

export interface Servers extends Ports {
  readonly strike: (strike: Strike) => void
  readonly counts: () => Promise<Counts>
  readonly close: () => Promise<void>
}

export const startServers = async (): Promise<Servers> => {
  const child = fork(fileURLToPath(new URL("server.ts", import.meta.url)), {
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const next = <T extends keyof Said>(type: T) =>
    new Promise<Said[T]>((resolve, reject) => {
      const gone = (code: number | null): void => reject(new Error(`the servers of the soak ended with ${code}`))
      const onMessage = (said: Message): void => {
        if (said.type !== type) return
        child.off("message", onMessage)
        child.off("exit", gone)
        resolve(said.value as Said[T])
      }
      child.on("message", onMessage)
      child.once("exit", gone)
    })
  const ask = (asked: Asked): void => void child.send(asked)
  const ready = await next("ready")
  return {
    ...ready,
    strike: (strike) => ask({ type: "strike", strike }),
    counts: () => {
      const answer = next("counts")
      ask({ type: "counts" })
      return answer
    },
    close: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve))
      child.disconnect()
      await gone
    }
  }
}
