/** Failures of files as errors that tell what to do. */
import { BatchError } from "../errors.ts"

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and run again, which goes on from here",
  EDQUOT: "the disk quota is used up; free some space and run again, which goes on from here",
  EFBIG: "the file has reached the largest size allowed (ulimit -f); raise it and run again, which goes on from here",
  EACCES: "access is denied; check the permissions of the file and its directory",
  EPERM: "access is denied; check the permissions of the file and its directory",
  EROFS: "the file system is read-only; give another path",
  EISDIR: "it is a directory; give the path of a file",
  ENOTDIR: "a part of the path is no directory; give another path",
  ENOENT: "the directory does not exist; make it first",
  EMFILE: "this process has too many files open; raise ulimit -n",
  EIO: "the device fails; check it before running again"
}

export const fileError = (path: string, verb: "read" | "write" | "open", error: unknown): BatchError => {
  if (error instanceof BatchError) return error
  const code = String((error as { readonly code?: unknown } | undefined)?.code ?? "")
  const why = ADVICE[code] ?? (error instanceof Error ? error.message : String(error))
  const named = code in ADVICE ? ` (${code})` : ""
  return new BatchError({ reason: "Journal", detail: `can't ${verb} ${path}: ${why}${named}`, cause: error })
}
