/** An HTTP proxy's tunnel: CONNECT, and its answer read by hand, since whatever follows it is the tunnel's. */
import type { Socket } from "node:net"
import { WireError } from "../wire/errors.ts"

const longestAnswer = 16 * 1024

interface Peer {
  readonly host: string
  readonly port: number
}

interface ProxyPeer extends Peer {
  readonly authorization: string | undefined
}

const authorityOf = ({ host, port }: Peer): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

const nameOf = (proxy: Peer): string => `the proxy ${authorityOf(proxy)} (transport.proxy)`

/** Statuses below 500 that may be others the next time: timeout, too early, too many requests. */
const passing: ReadonlySet<number> = new Set([408, 425, 429])

const advice = (status: number, { authorization }: ProxyPeer): string => {
  if (status === 403) return "allow this address there"
  if (status !== 407) return "it must be an HTTP proxy that allows CONNECT to this address"
  return authorization === undefined ? "give it a user and password in that URL" : "check its user and password"
}

/** Refusals of tunnels: 5xx is about the way to the target and may pass, 4xx about the client and is final. */
export const isFinal = (status: number): boolean => status >= 400 && status < 500 && !passing.has(status)

const refusal = (status: number, proxy: ProxyPeer, target: string): Error => {
  if (!isFinal(status)) {
    return new Error(`${nameOf(proxy)} responded to CONNECT with status ${status}`)
  }
  const text = `${nameOf(proxy)} refused the tunnel to ${target} with status ${status}: ${advice(status, proxy)}`
  return new WireError("Untrusted", "no", text)
}

/**
 * Asks the proxy on `socket` for a tunnel. Its error has the proxy's address and the status, and neither user nor
 * password.
 */
export const connectThrough = (
  socket: Socket,
  target: Peer,
  proxy: ProxyPeer,
  done: (error: Error | undefined) => void
): void => {
  const { authorization } = proxy
  const authority = authorityOf(target)
  const credentials = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`)

  let answer = Buffer.alloc(0)
  const finish = (error: Error | undefined): void => {
    socket.off("data", onData)
    socket.pause()
    done(error)
  }
  const fail = (what: string): void => finish(new Error(`${nameOf(proxy)} responded to CONNECT with ${what}`))
  const onData = (chunk: Buffer): void => {
    answer = Buffer.concat([answer, chunk])
    const end = answer.indexOf("\r\n\r\n")
    if (end === -1) {
      if (answer.length > longestAnswer) fail(`a head of more than ${longestAnswer} bytes`)
      return
    }
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString("latin1", 0, end))?.[1]
    if (status === undefined) return fail("bytes that are not HTTP/1.1")
    if (!status.startsWith("2")) return finish(refusal(Number(status), proxy, authority))
    const rest = answer.subarray(end + 4)
    socket.off("data", onData)
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    done(undefined)
  }
  socket.on("data", onData)
}
