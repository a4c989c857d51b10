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

type Done = (error: Error | undefined, socket?: net.Socket) => void

/** A connection that is being set up. */
class Dialing {
  readonly base: net.Socket
  readonly #route: Route
  readonly #protocols: Array<string> | undefined
  readonly #done: Done
  /** Options of sockets that connect directly. */
  readonly #direct: typeof tcp & { readonly lookup?: net.LookupFunction }
  #settled = false

  constructor(route: Route, protocols: Array<string> | undefined, done: Done) {
    this.#route = route
    this.#protocols = protocols
    this.#done = done
    const { allowAddress } = route
    this.#direct = allowAddress === undefined ? tcp : { ...tcp, lookup: guardedLookup(allowAddress) }
    this.base =
      route.proxy !== undefined ? this.#throughProxy(route.proxy) : route.secure ? this.#overTls() : this.#plain()
  }

  #settle(error: Error | undefined, socket?: net.Socket): void {
    if (this.#settled) return
    this.#settled = true
    if (error !== undefined) this.base.destroy()
    this.#done(error, socket)
  }

  #watch<S extends net.Socket>(socket: S): S {
    socket.on("error", (error) => {
      this.#settle(error)
      // Node (26.12 and before) reports a TLS error after the handshake, be it an alert, on this socket alone and
      // leaves it open: readers of the socket would receive nothing more.
      if (!socket.destroyed) socket.destroy()
    })
    socket.once("close", () => {
      this.base.destroy()
      this.#settle(new Error("the connection was closed while it was being set up"))
    })
    // Before there is a handle, and again after: happy eyeballs may have replaced it.
    socket.unref()
    socket.once("connect", unref)
    return socket
  }

  /** TLS with the origin, over a socket of its own by default. */
  #overTls(over?: net.Socket): tls.TLSSocket {
    const { context, host, port } = this.#route
    const socket = tls.connect({
      secureContext: context(),
      ...(over === undefined ? { port, ...this.#direct } : { socket: over }),
      host,
      ...serverName(host),
      ...(this.#protocols === undefined ? undefined : { ALPNProtocols: this.#protocols })
    })
    socket.once("secureConnect", () => {
      socket.unref()
      this.#settle(undefined, socket)
    })
    return this.#watch(socket)
  }

  #plain(): net.Socket {
    const { host, port } = this.#route
    const socket = this.#watch(net.connect({ host, port, ...this.#direct }))
    return socket.once("connect", () => this.#settle(undefined, socket))
  }

  #throughProxy(proxy: Proxy): net.Socket {
    const { context, host, port, secure } = proxy
    const socket = this.#watch<net.Socket>(
      secure
        ? tls.connect({ secureContext: context(), host, port, ...this.#direct, ...serverName(host) })
        : net.connect({ host, port, ...this.#direct })
    )
    return socket.once(secure ? "secureConnect" : "connect", () =>
      connectThrough(socket, this.#route, proxy, (error) => {
        if (error !== undefined) this.#settle(error)
        else if (this.#route.secure) this.#overTls(socket)
        else this.#settle(undefined, socket)
      })
    )
  }
}

/**
 * Connects, and calls `done` once: with an error, or with the socket to talk through. The caller bounds the time, by
 * destroying `base`. Throws where the route leads to an address that is not allowed.
 */
export const dial = (route: Route, protocols: Array<string> | undefined, done: Done): Dial => {
  checkHost(route.allowAddress, route.host)
  if (route.proxy !== undefined) checkHost(route.allowAddress, route.proxy.host)
  return new Dialing(route, protocols, done)
}
