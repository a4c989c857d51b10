/** A session of node:http2 over a socket, with bounds that fit one which carries many long answers. */
import * as http2 from "node:http2"
import type { Socket } from "node:net"
import type { HeadLimits } from "../../util/bounds.ts"

/** Flow control: what a server may send ahead on one stream, and on all. */
const streamWindow = 256 * 1024
const sessionWindow = 16 * 1024 * 1024
/**
 * A head that is longer than Node allows resets its stream with a code that servers use as well. So Node allows more than
 * we do, and the connection looks itself; it stays the bound on what a few bytes of HPACK can grow to.
 */
const beyond = (limit: number, least: number, most: number): number => Math.min(8 * Math.max(limit, least), most)

const bounds = {
  /**
   * MB, as good as none. Node counts what waits to be sent, such as a hundred prompts with pictures, and beyond the bound it
   * refuses the heads of answers. What a server can make us hold has bounds of its own: the windows, and those of heads.
   */
  maxSessionMemory: 2 ** 20,
  /**
   * In the life of a session. Node counts frames of data without any among them, which some servers send with each answer,
   * and ends the session with all that is on it after 1,000.
   */
  maxSessionInvalidFrames: 100_000
}

/** It keeps no process alive. */
export const openSession = (origin: string, socket: Socket, limits: HeadLimits): http2.ClientHttp2Session => {
  const session = http2.connect(origin, {
    ...bounds,
    createConnection: () => socket,
    maxHeaderListPairs: beyond(limits.maxHeadFields, 128, 2 ** 31 - 1),
    settings: {
      enablePush: false,
      initialWindowSize: streamWindow,
      // Node's own bound is 16 MB.
      maxHeaderListSize: beyond(limits.maxHeadBytes, 16 * 1024, 2 ** 24 - 1)
    }
  })
  session.unref()
  session.once("connect", () => session.setLocalWindowSize(sessionWindow))
  return session
}
