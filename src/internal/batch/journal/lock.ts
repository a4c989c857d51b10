/**
 * A lock file beside a journal: who writes to it. Made by linking a file that is complete, so that it is never there
 * without its content. That of a process that has ended is replaced in one step: one of this machine if its process is
 * gone, another if it has not been touched for long.
 */
import { randomUUID } from "node:crypto"
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { clearInterval, Date, setInterval, setTimeout } from "../../util/timers.ts"
import { BatchError, type LockHolder } from "../errors.ts"

/** Interval between touches of the lock. */
const HEARTBEAT_MS = 10_000
/** A lock of another machine that was not touched for so long belongs to nobody. */
const FOREIGN_LOCK_TIMEOUT_MS = 60_000
/** Attempts while others take the same stale lock over. */
const MAX_ATTEMPTS = 20

interface LockContent extends LockHolder {
  readonly token: string
  /** The process's start, as the kernel counts it: numbers of processes are used again. */
  readonly started: string | undefined
}

export interface Lock {
  /** Removes it. Never rejects. */
  readonly release: () => Promise<void>
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const codeOf = (error: unknown): string | undefined => (error as { readonly code?: string } | undefined)?.code

/** Field 22 of /proc/PID/stat, on Linux. The name before it may hold spaces and parentheses. */
const startOf = async (pid: number): Promise<string | undefined> => {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19]
  } catch {
    return undefined
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === "EPERM"
  }
}

const read = async (path: string): Promise<LockContent | undefined> => {
  try {
    const content: unknown = JSON.parse(await readFile(path, "utf8"))
    return typeof content === "object" && content !== null && "token" in content ? (content as LockContent) : undefined
  } catch {
    return undefined
  }
}

const isStale = async (path: string, content: LockContent): Promise<boolean> => {
  if (content.host === hostname()) {
    if (!isAlive(content.pid)) return true
    const started = await startOf(content.pid)
    return started !== undefined && content.started !== undefined && started !== content.started
  }
  try {
    return Date.now() - (await stat(path)).mtimeMs > FOREIGN_LOCK_TIMEOUT_MS
  } catch {
    return false
  }
}

const refused = (path: string, { host, pid, since }: LockContent): BatchError => {
  const where = host === hostname() ? "" : ` on ${host}`
  return new BatchError({
    reason: "Locked",
    detail:
      `another run has this journal: process ${pid}${where}, since ${since}. ` +
      `Wait for it or end it; if it is gone, remove ${path}`,
    holder: { pid, host, since }
  })
}

/** File systems without hard links (exFAT, some mounts) refuse with one of these. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

const place = async (own: string, path: string, content: LockContent): Promise<void> => {
  try {
    await link(own, path)
  } catch (error) {
    if (!NO_LINKS.has(codeOf(error))) throw error
    await writeFile(path, JSON.stringify(content), { flag: "wx" })
  }
}

/** Pause between attempts, in which another gets done. */
const ATTEMPT_PAUSE_MS = 10

/**
 * Puts a complete lock in the place of a stale one. Only the holder of a lock named after the stale one may, so that no
 * two of them do, and none replaces a newer lock. False if another has done it, or is about to.
 */
const replaceStale = async (own: string, path: string, content: LockContent, stale: LockContent): Promise<boolean> => {
  const turn = `${path}.after-${stale.token.replaceAll(/[^\w-]/g, "")}`
  try {
    await take(turn, content)
  } catch (error) {
    if (error instanceof BatchError) return false
    throw error
  }
  try {
    if ((await read(path))?.token !== stale.token) return false
    await rename(own, path)
    return true
  } finally {
    await rm(turn, { force: true })
  }
}

const take = async (path: string, content: LockContent): Promise<void> => {
  const own = `${path}.${content.token}`
  try {
    await writeFile(own, JSON.stringify(content), { flag: "wx" })
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await pause(ATTEMPT_PAUSE_MS)
      try {
        await place(own, path, content)
        return
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
      }
      const holder = await read(path)
      // It has just been removed.
      if (holder === undefined) continue
      if (!(await isStale(path, holder))) throw refused(path, holder)
      if (await replaceStale(own, path, content, holder)) return
    }
    throw new Error(`${path} can't be taken over: others try the same`)
  } finally {
    await rm(own, { force: true })
  }
}

/**
 * Takes the lock at `path`. Rejects with a `BatchError` `Locked`, or the file system's error. `onLost` is called if
 * somebody has removed or replaced it.
 */
export const acquire = async (
  path: string,
  onLost: (error: BatchError) => void,
  heartbeatMs: number = HEARTBEAT_MS
): Promise<Lock> => {
  const content: LockContent = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    token: randomUUID(),
    started: await startOf(process.pid)
  }
  await take(path, content)
  let isReleased = false
  let beating: Promise<void> = Promise.resolve()
  const beat = async (): Promise<void> => {
    const holder = await read(path)
    if (isReleased) return
    if (holder === undefined) {
      // It was removed. One that is there and can't be read now is left, and looked at again.
      await writeFile(path, JSON.stringify(content), { flag: "wx" })
    } else if (holder.token === content.token) {
      const now = new Date()
      await utimes(path, now, now)
    } else {
      clearInterval(timer)
      onLost(refused(path, holder))
    }
  }
  const timer = setInterval(() => {
    beating = beating.then(beat).catch(() => undefined)
  }, heartbeatMs)
  timer.unref()
  return {
    release: async () => {
      isReleased = true
      clearInterval(timer)
      // One under way could write the lock anew.
      await beating
      if ((await read(path))?.token === content.token) await rm(path, { force: true }).catch(() => undefined)
    }
  }
}
