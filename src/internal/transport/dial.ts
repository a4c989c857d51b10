/**
 * Opens sockets: TCP, TLS with ALPN, and either through an HTTP proxy's CONNECT. Every socket of the engine comes
 * from here, so that each is counted, bounded in time, and unref'd: a socket alone keeps no process alive.
 */
import * as net from "node:net"
import * as tls from "node:tls"
import { type AllowAddress, checkHost, guardedLookup } from "./allowAddress.ts"
import { connectThrough } from "./proxy.ts"

/** Route to an origin: host, TLS, proxy and the filter of addresses. */
export interface Route {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  /** Made once: parsing certificates anew for each socket costs more than the rest of it. */
  readonly context: () => tls.SecureContext
  readonly proxy: Proxy | undefined
  readonly allowAddress: AllowAddress | undefined
}

export interface Proxy {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  readonly context: () => tls.SecureContext
  /** The value of Proxy-Authorization. Secret. */
  readonly authorization: string | undefined
}

export interface Dial {
  /** The TCP connection: when it closes, the descriptor is free. */
  readonly base: net.Socket
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "")
const portOf = (url: URL): number => (url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port))

const lazily = (options: tls.SecureContextOptions): (() => tls.SecureContext) => {
  let made: tls.SecureContext | undefined
  return () => (made ??= tls.createSecureContext(options))
}

/** Throws if the proxy's URL can't be used, without quoting it: it may hold a password. */
const makeProxy = (proxy: string, ca: string | undefined): Proxy => {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError("the URL of the proxy (transport.proxy) is neither http nor https")
  }
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return {
    host: hostOf(url),
    port: portOf(url),
    secure: url.protocol === "https:",
    context: lazily({ ca }),
    authorization: user === ":" ? undefined : `Basic ${Buffer.from(user).toString("base64")}`
  }
}

/** Options that concern the route to an origin. */
export interface RouteOptions {
  readonly proxy?: string | undefined
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly allowAddress?: AllowAddress | undefined
}

export const makeRoute = (origin: URL, { allowAddress, ca, cert, key, proxy }: RouteOptions): Route => ({
  host: hostOf(origin),
  port: portOf(origin),
  secure: origin.protocol === "https:",
  context: lazily({ ca, cert, key }),
  proxy: proxy === undefined ? undefined : makeProxy(proxy, ca),
  allowAddress
})

const unref = function (this: net.Socket): void {
  this.unref()
}

/** An IP address may not be a server name (RFC 6066). Absent rather than empty: Deno's HTTP/2 takes "" for a name. */
const serverName = (host: string): { readonly servername?: string } =>
  net.isIP(host) === 0 ? { servername: host } : {}

/** Keeps NATs from forgetting a connection on which a long request is silent. */
const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }

/**
 * Connects, and calls `done` once: with an error, or with the socket to talk through. The caller bounds the time, by
 * destroying `base`. Throws where the route leads to an address that is not allowed.
 */
export const dial = (
  route: Route,
  protocols: Array<string> | undefined,
  done: (error: Error | undefined, socket?: net.Socket) => void
): Dial => {
  const { allowAddress, proxy } = route
  checkHost(allowAddress, route.host)
  if (proxy !== undefined) checkHost(allowAddress, proxy.host)
  const direct = allowAddress === undefined ? tcp : { ...tcp, lookup: guardedLookup(allowAddress) }
  let settled = false
  const settle = (error: Error | undefined, socket?: net.Socket): void => {
    if (settled) return
    settled = true
    if (error !== undefined) base.destroy()
    done(error, socket)
  }
  const watch = <S extends net.Socket>(socket: S): S => {
    socket.on("error", (error) => {
      settle(error)
      // Node (26.12 and before) reports a TLS error after the handshake, be it an alert, on this socket alone and
      // leaves it open: readers of the socket would receive nothing more.
      if (!socket.destroyed) socket.destroy()
    })
    socket.once("close", () => {
      base.destroy()
      settle(new Error("the connection was closed while it was being set up"))
    })
    // Before there is a handle, and again after: happy eyeballs may have replaced it.
    socket.unref()
    socket.once("connect", unref)
    return socket
  }
  const secured = (over: net.Socket | undefined): tls.TLSSocket => {
    const socket = tls.connect({
      secureContext: route.context(),
      ...(over === undefined ? { port: route.port, ...direct } : { socket: over }),
      host: route.host,
      ...serverName(route.host),
      ...(protocols === undefined ? undefined : { ALPNProtocols: protocols })
    })
    socket.once("secureConnect", () => {
      socket.unref()
      settle(undefined, socket)
    })
    return socket
  }

  let base: net.Socket
  if (proxy !== undefined) {
    base = watch(
      proxy.secure
        ? tls.connect({
            secureContext: proxy.context(),
            host: proxy.host,
            port: proxy.port,
            ...direct,
            ...serverName(proxy.host)
          })
        : net.connect({ host: proxy.host, port: proxy.port, ...direct })
    )
    base.once(proxy.secure ? "secureConnect" : "connect", () =>
      connectThrough(base, route, proxy, (error) => {
        if (error !== undefined) settle(error)
        else if (route.secure) watch(secured(base))
        else settle(undefined, base)
      })
    )
  } else if (route.secure) {
    base = watch(secured(undefined))
  } else {
    base = watch(net.connect({ host: route.host, port: route.port, ...direct }))
    base.once("connect", () => settle(undefined, base))
  }
  return { base }
}
