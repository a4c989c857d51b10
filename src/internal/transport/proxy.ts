/** An HTTP proxy's tunnel: CONNECT, and its answer read by hand, since whatever follows it is the tunnel's. */
import type { Socket } from "node:net"

const longestAnswer = 16 * 1024

/**
 * Asks the proxy on `socket` for a tunnel. The error that it may call back with says what the proxy answered, never
 * what was asked.
 */
export const connectThrough = (
  socket: Socket,
  target: { readonly host: string; readonly port: number },
  authorization: string | undefined,
  done: (error: Error | undefined) => void
): void => {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host
  const authority = `${host}:${target.port}`
  const credentials = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`)

  let answer = Buffer.alloc(0)
  const finish = (error: Error | undefined): void => {
    socket.off("data", onData)
    socket.pause()
    done(error)
  }
  const onData = (chunk: Buffer): void => {
    answer = Buffer.concat([answer, chunk])
    const end = answer.indexOf("\r\n\r\n")
    if (end === -1) {
      if (answer.length > longestAnswer) finish(new Error("the proxy's answer to CONNECT does not end"))
      return
    }
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.toString("latin1", 0, end))?.[1]
    if (status === undefined) return finish(new Error("the proxy does not speak HTTP"))
    if (!status.startsWith("2")) return finish(new Error(`the proxy answered ${status} to CONNECT`))
    const rest = answer.subarray(end + 4)
    socket.off("data", onData)
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    done(undefined)
  }
  socket.on("data", onData)
}
