/** Scripts of `children/` in processes of their own. */
import { spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Child {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
  readonly stdout: () => string
  /** When its last output came, by performance.now(). */
  readonly spokeAt: () => number
}

/** Half of a short child's life would be the compilation of what all of them import. */
export const compileCache = join(tmpdir(), "clientele-test-compile-cache")

/** Until they say something children only keep the cores busy: more of them at once would all be slower, and none sooner. */
const booting = Effect.unsafeMakeSemaphore(2)

/** Killed when the scope closes, should it still be there. `node` is the command that runs it. */
export const run = (
  script: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  node: ReadonlyArray<string> = [process.execPath]
): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.map(booting.take(1), () => {
        const path = fileURLToPath(new URL(`./children/${script}`, import.meta.url))
        const [command = "", ...words] = [...node, path, ...args]
        return spawn(command, words, {
          env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...env },
          stdio: "pipe"
        })
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      let [stdout, stderr, spokeAt] = ["", "", 0]
      let booted = (): void => {
        booted = () => undefined
        Effect.runFork(booting.release(1))
      }
      child.once("close", () => booted())
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        booted()
        stdout += text
        spokeAt = performance.now()
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text
      })
      return {
        pid: child.pid!,
        kill: (signal) => void child.kill(signal),
        ended: new Promise((resolve) => {
          child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
        }),
        stdout: () => stdout,
        spokeAt: () => spokeAt
      }
    }
  )
