/** Limits of this machine. */
import { spawnSync } from "node:child_process"
import { type Finding, none, ok, problem } from "./finding.ts"

/** Sockets of a process by default; half of the open files may be sockets. */
const DEFAULT_SOCKETS = 512

/** Below it, a run over HTTP/1.1 is slow for want of sockets. */
const FEW_OPEN_FILES = 256

export const openFiles = (): Finding => {
  const told = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout?.trim() ?? ""
  if (told === "unlimited") return ok(`open files: unlimited, so up to ${DEFAULT_SOCKETS} sockets`)
  const limit = Number(told)
  if (told === "" || !Number.isInteger(limit)) return none("open files: the limit is unknown here")
  const sockets = Math.min(DEFAULT_SOCKETS, Math.floor(limit / 2))
  const text = `open files: ulimit -n is ${limit}, so up to ${sockets} sockets`
  return limit < FEW_OPEN_FILES ? problem(`${text}; raise it with ulimit -n 4096`) : ok(text)
}
