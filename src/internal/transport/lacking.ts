/**
 * Detects sockets that could not be opened because this process, or this machine, may not have another file descriptor.
 */
import { closeSync, openSync } from "node:fs"
import { devNull } from "node:os"

export const isLack = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE")

/** A descriptor is had or not; a failed lookup is rare enough to try. */
const areNoneLeft = (): boolean => {
  try {
    closeSync(openSync(devNull, "r"))
    return false
  } catch (error) {
    return isLack(error)
  }
}

/** Without a descriptor the resolver can't ask, and reports an unknown name. */
const isLookup = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo"

export const lacksDescriptors = (error: unknown): boolean =>
  isLack(error) ||
  // The AggregateError of net, if no address of a name would do: one may have refused, and the other not been tried.
  (error instanceof AggregateError && error.errors.some(isLack)) ||
  (isLookup(error) && areNoneLeft())
