/** Exit codes, and errors that end a command with one of them and one line. */

/** Documented in `clientele run --help` and docs/run.md. */
export const EXIT = {
  done: 0,
  rowsFailed: 1,
  usage: 2,
  stopped: 3,
  io: 4,
  locked: 5,
  interrupted: 130,
  terminated: 143
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Ends the command. The message is one line: what happened, with what value, what to do. */
export class CommandError extends Error {
  override readonly name: string = "CommandError"
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The command was called wrongly. Nothing has been sent. */
export class UsageError extends CommandError {
  override readonly name = "UsageError"

  constructor(message: string) {
    super(message, EXIT.usage)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is no folder",
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is used up; free some space",
  EROFS: "the file system is read-only",
  EPIPE: "its reader has gone",
  EMFILE: "too many open files; raise ulimit -n"
}

/** Describes a failed system call in words. */
export const ioReason = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return REASONS[code] ?? error.message.split("\n", 1)[0] ?? code
}
