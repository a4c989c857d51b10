/** Sockets and timers made since `watch` that keep a process alive, with the code that made them. */
import { createHook } from "node:async_hooks"

export interface Resource {
  readonly kind: "socket" | "timer"
  /** The innermost callers that are none of Node's. */
  readonly madeAt: string
  /** True for a server's end of a connection whose client end does not keep a process alive, as in a pool at rest. */
  readonly isOfPool: boolean
}

interface Open extends Omit<Resource, "isOfPool"> {
  readonly ref: WeakRef<object>
}

const kinds: Readonly<Record<string, Resource["kind"]>> = {
  TCPWRAP: "socket",
  TLSWRAP: "socket",
  PIPEWRAP: "socket",
  TCPSERVERWRAP: "socket",
  PIPESERVERWRAP: "socket",
  UDPWRAP: "socket",
  Timeout: "timer"
}

const MAX_DEPTH = 30

const site = (): string => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = MAX_DEPTH
  const { stack = "" } = new Error()
  Error.stackTraceLimit = before
  const lines = stack
    .split("\n")
    .slice(2)
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at ") && !/node:|resources\.[jt]s/.test(line))
  return lines.slice(0, 3).join(" < ") || "in Node itself"
}

const isOpen = (resource: object): boolean => {
  // Timers and handles indicate whether they keep the process alive, each in its own way.
  if ("_destroyed" in resource && resource._destroyed === true) return false
  if ("hasRef" in resource && typeof resource.hasRef === "function") {
    try {
      return resource.hasRef() === true
    } catch {
      return false
    }
  }
  return true
}

interface Handle {
  readonly getsockname?: (out: { port?: number }) => unknown
  readonly getpeername?: (out: { port?: number }) => unknown
}

const portOf = (handle: Handle, name: keyof Handle): number | undefined => {
  const out: { port?: number } = {}
  try {
    handle[name]?.(out)
  } catch {
    // It has been closed.
  }
  return out.port
}

/** From now on, until it is stopped. Costs each async resource a little, so it is for tests alone. */
export const watch = () => {
  const open = new Map<number, Open>()
  const hook = createHook({
    init: (id, type, _, resource) => {
      const kind = kinds[type]
      if (kind !== undefined) open.set(id, { kind, madeAt: site(), ref: new WeakRef(resource) })
    },
    destroy: (id) => void open.delete(id)
  })
  hook.enable()
  return {
    /** Open resources that keep the process alive. */
    left: (): ReadonlyArray<Resource> => {
      const known = [...open.values()].flatMap(({ kind, madeAt, ref }) => {
        const resource = ref.deref()
        return resource === undefined ? [] : [{ kind, madeAt, resource }]
      })
      const idle = known.filter(({ kind, resource }) => kind === "socket" && !isOpen(resource))
      const ports = new Set(idle.map(({ resource }) => portOf(resource, "getsockname")))
      ports.delete(undefined)
      return known
        .filter(({ resource }) => isOpen(resource))
        .map(({ kind, madeAt, resource }) => ({
          kind,
          madeAt,
          isOfPool: kind === "socket" && ports.has(portOf(resource, "getpeername"))
        }))
    },
    stop: () => void hook.disable()
  }
}
