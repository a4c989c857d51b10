/** An HTTP proxy that knows CONNECT alone. */
import * as net from "node:net"

export interface Tunnel {
  readonly port: number
  /** Tunnels that it dug. */
  readonly dug: number
  /** Tunnels that it was asked for. */
  readonly asked: number
  /** Answers CONNECT with this status from now on, with a page perhaps; `undefined`: it digs again. */
  readonly refuse: (status: number | undefined, page?: string) => void
  /** It dies, with all that goes through it. */
  readonly die: () => Promise<void>
  readonly rise: () => Promise<void>
  readonly close: () => Promise<void>
}

export const serveTunnel = async (): Promise<Tunnel> => {
  const sockets = new Set<net.Socket>()
  let refusal: number | undefined
  let refusalPage = ""
  let port = 0
  let dug = 0
  let asked = 0
  let server: net.Server

  const track = (socket: net.Socket): net.Socket => {
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
    return socket
  }

  const onSocket = (client: net.Socket): void => {
    track(client).once("data", (head: Buffer) => {
      const target = /^CONNECT ([^ :]+):(\d+) /.exec(head.toString("latin1"))
      asked++
      if (target === null || refusal !== undefined) {
        const length = Buffer.byteLength(refusalPage)
        client.end(`HTTP/1.1 ${refusal ?? 400} No\r\ncontent-length: ${length}\r\n\r\n${refusalPage}`)
        return
      }
      const upstream = track(net.connect(Number(target[2]), target[1]!))
      upstream.once("connect", () => {
        dug++
        client.write("HTTP/1.1 200 Dug\r\n\r\n")
        client.pipe(upstream).pipe(client)
      })
      client.on("close", () => upstream.destroy())
      upstream.on("close", () => client.destroy())
    })
  }

  const rise = async (): Promise<void> => {
    server = net.createServer(onSocket)
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    const address = server.address()
    if (typeof address === "object" && address !== null) port = address.port
  }
  const die = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  await rise()
  return {
    port,
    get dug() {
      return dug
    },
    get asked() {
      return asked
    },
    refuse: (status, page = "") => {
      refusal = status
      refusalPage = page
    },
    die,
    rise,
    close: die
  }
}
