/**
 * The providers, in a process of their own: for each protocol a sandbox and a TCP proxy before it, with faults on
 * command, and for a given time. Messages come and go over the process's IPC channel.
 */
import * as net from "node:net"
import * as Sandbox from "../src/testing/Sandbox.ts"
import { serveToxics } from "../test/support/toxics.ts"
import { keys, type Order, type Strike, type Wire, wires } from "./nemesis.ts"

export interface Ports {
  readonly ca: string
  readonly ports: Readonly<Record<Wire, { readonly direct: number; readonly proxied: number }>>
}

export interface Counts {
  /** Connections at the sandboxes, those through the proxies included: what each is, and does. */
  readonly open: ReadonlyArray<string>
  /** Clients' connections at the proxies. */
  readonly proxied: number
  readonly requests: number
  /** Requests that met a fault of a sandbox. */
  readonly struck: number
}

/** Messages of this process, by type. */
export interface Said {
  readonly ready: Ports
  readonly counts: Counts
}
export interface Message<T extends keyof Said = keyof Said> {
  readonly type: T
  readonly value: Said[T]
}
export type Asked = { readonly type: "strike"; readonly strike: Strike } | { readonly type: "counts" }

const serve = async (wire: Wire) => {
  const sandbox = await Sandbox.start({
    protocol: wire === "HTTP/2" ? "h2" : "http/1.1",
    tls: wire === "HTTP/2",
    latency: 10,
    timePerToken: 2,
    logSize: 0
  })
  const proxy = await serveToxics(sandbox.port)
  const active = new Set<Order>()
  const all = <T extends Order["type"]>(type: T) =>
    [...active].filter((order): order is Extract<Order, { readonly type: T }> => order.type === type)

  /** While the proxy is down a connection from its port keeps others from listening there, who would answer in its place. */
  let holder: net.Socket | undefined
  const hold = (): Promise<void> =>
    new Promise((resolve) => {
      const host = "127.0.0.1"
      holder = net.connect({ port: sandbox.port, host, localAddress: host, localPort: proxy.port }, () => resolve())
      holder.once("error", () => resolve())
    })

  /** After each change all is made as the orders that last say. */
  const settle = async (changed: Order, came: boolean): Promise<void> => {
    switch (changed.type) {
      case "fault":
        return sandbox.faults.replace(all("fault").map(({ rule }) => rule))
      case "limit":
        return sandbox.limit(all("limit").at(-1)?.limit)
      case "refuse": {
        const refused = all("refuse").map(({ key }) => key)
        return sandbox.apiKeys(refused.length === 0 ? undefined : keys.filter((key) => !refused.includes(key)))
      }
      case "toxic":
        proxy.clear()
        for (const { direction, toxic } of all("toxic")) proxy.add(toxic, direction)
        return
      case "freeze":
        if (came) return proxy.freeze()
        if (all("freeze").length > 0 || all("down").length > 0) return
        await proxy.down()
        return proxy.up()
      case "down":
        if (came && all("down").length === 1) {
          await proxy.down()
          return hold()
        }
        if (came || all("down").length > 0) return
        holder?.destroy()
        return proxy.up()
    }
  }

  // One after the other: a proxy that goes down is down before it comes up.
  let last: Promise<void> = Promise.resolve()
  const change = (order: Order, came: boolean): void => {
    last = last.then(() => {
      if (came) active.add(order)
      else active.delete(order)
      return settle(order, came)
    })
  }
  const strike = ({ lasts, order }: Strike): void => {
    change(order, true)
    setTimeout(() => change(order, false), lasts)
  }
  return { sandbox, proxy, strike }
}

const [http1, http2] = await Promise.all([serve("HTTP/1.1"), serve("HTTP/2")])
const servers = { "HTTP/1.1": http1, "HTTP/2": http2 }

const say = <T extends keyof Said>(said: Message<T>): void => void process.send?.(said)

const counts = (): Counts => {
  const stats = wires.map((wire) => servers[wire].sandbox.stats())
  const sum = (of: (one: Sandbox.Stats) => number): number => stats.reduce((total, one) => total + of(one), 0)
  const open = stats.flatMap(({ byConnection }) => byConnection.filter((one) => one.open))
  return {
    open: open.map(
      ({ id, inFlight, protocol = "no protocol yet", requests }) =>
        `connection ${id}, ${protocol}, ${requests} requests, ${inFlight} in flight`
    ),
    proxied: http1.proxy.open + http2.proxy.open,
    requests: sum(({ requests }) => requests),
    struck: sum(({ faults }) => faults)
  }
}

process.on("message", (asked: Asked) => {
  if (asked.type === "strike") servers[asked.strike.wire].strike(asked.strike)
  else say({ type: "counts", value: counts() })
})
process.on("disconnect", () => process.exit(0))

const ports = ({ proxy, sandbox }: typeof http1) => ({ direct: sandbox.port, proxied: proxy.port })
say({
  type: "ready",
  value: { ca: http1.sandbox.ca, ports: { "HTTP/1.1": ports(http1), "HTTP/2": ports(http2) } }
})
