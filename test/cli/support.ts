/** The command as a child process, on the sources, in a folder of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

/** Agents of the tests import `clientele`, which is the sources. */
const SOURCES = new URL("../support/sources.ts", import.meta.url).href

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly ended: Promise<Ended>
  /** Standard error so far. */
  readonly err: () => string
}

type Env = Readonly<Record<string, string>>

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "clientele-run-"))
  readonly #children = new Set<Running["child"]>()
  readonly #env: Env

  /** Variables of all children, beside `PATH`. */
  constructor(env: Env = {}) {
    this.#env = env
  }

  write(name: string, content: string | Buffer): string {
    writeFileSync(join(this.path, name), content)
    return name
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8")
  }

  /** Lines of JSON. */
  records(name: string): ReadonlyArray<Readonly<Record<string, unknown>>> {
    return this.read(name)
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
  }

  begin(args: ReadonlyArray<string>, env: Env = {}): Running {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.path,
      env: { PATH: process.env["PATH"], NODE_OPTIONS: `--import ${SOURCES}`, ...this.#env, ...env },
      stdio: ["pipe", "pipe", "pipe"]
    })
    this.#children.add(child)
    let out = ""
    let err = ""
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()))
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code) => {
        this.#children.delete(child)
        resolve({ code, out, err })
      })
    })
    return { child, ended, err: () => err }
  }

  run(...args: ReadonlyArray<string>): Promise<Ended> {
    return this.begin(args).ended
  }

  dispose(): void {
    for (const child of this.#children) child.kill("SIGKILL")
    rmSync(this.path, { recursive: true, force: true })
  }
}

const POLL_MS = 20

/** Resolves once `condition` holds. What it throws counts as false: a file may not be there yet. */
export const until = (condition: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const timer = setInterval(() => {
      try {
        if (!condition()) return
      } catch {
        return
      }
      clearInterval(timer)
      resolve()
    }, POLL_MS)
  })
