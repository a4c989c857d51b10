/** A Redis of a test's own: Debian's redis-server on a free port, without persistence. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Kills it as a crash would: nothing is saved, connections break. */
  readonly kill: Effect.Effect<void>
  /** Starts it again, empty, on the same port. */
  readonly start: Effect.Effect<void>
  /** It keeps its connections, and answers nothing. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}

/** True if something there answers PING, be it with an error. */
const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    socket.setTimeout(1_000, () => socket.destroy())
    socket.once("data", () => {
      resolve(true)
      socket.destroy()
    })
    socket.on("error", () => resolve(false)).on("close", () => resolve(false))
  })

const launch = async (port: number, dir: string, flags: ReadonlyArray<string>): Promise<ChildProcess> => {
  const common = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"]
  const child = spawn("redis-server", [...common, ...flags], { stdio: ["ignore", "pipe", "ignore"] })
  let said = ""
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000)
  })
  const aborter = new AbortController()
  const ended = once(child, "exit")
    .then(
      () => {
        throw new Error(`redis-server did not stay: ${said}`)
      },
      (cause: unknown) => {
        throw new Error(
          "redis-server can't be run: install Debian's package redis-server (apt-get install redis-server)",
          { cause }
        )
      }
    )
    .finally(() => aborter.abort())
  const ready = (async () => {
    while (!aborter.signal.aborted && !(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 10))
  })()
  ended.catch(() => {})
  await Promise.race([ready, ended])
  return child
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, "exit")
  child.kill("SIGKILL")
  await exit
}

/** Runs until the scope closes. `flags` are those of redis-server: `["--requirepass", "secret"]`. */
export const make = (flags: ReadonlyArray<string> = []): Effect.Effect<RedisServer, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const dir = await mkdtemp(join(tmpdir(), "clientele-redis-"))
        const port = await freePort()
        return { child: await launch(port, dir, flags), dir, port }
      }),
      (running) =>
        Effect.promise(async () => {
          await end(running.child)
          await rm(running.dir, { recursive: true, force: true })
        })
    ),
    (running) => ({
      port: running.port,
      url: `redis://127.0.0.1:${running.port}`,
      kill: Effect.promise(() => end(running.child)),
      start: Effect.promise(async () => {
        running.child = await launch(running.port, running.dir, flags)
      }),
      pause: Effect.sync(() => void running.child.kill("SIGSTOP")),
      resume: Effect.sync(() => void running.child.kill("SIGCONT"))
    })
  )
