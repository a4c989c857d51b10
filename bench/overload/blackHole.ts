/** A listening socket that accepts nothing: once its backlog is full, connecting to it never succeeds. */
import { createServer } from "node:net"
import { input } from "../child.ts"

const BLOCK_MS = 60_000

const { port } = input<{ readonly port: number }>()
const server = createServer()
server.once("error", (error: NodeJS.ErrnoException) => process.send?.({ failed: error.code }, () => process.exit(0)))
server.listen({ host: "127.0.0.1", port, backlog: 1 }, () => {
  process.send?.({ port })
  // Node accepts connections in its event loop alone, so that stands still; the bench ends the process.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS)
  process.exit(0)
})
