/**
 * Effect of a storm of aborts over HTTP/2 on the requests that are not aborted, on three Nodes: the oldest allowed, the
 * one of this package's own tests, and the newest. The server is Node's own with its default limits on resets: it ends
 * a session that resets too much.
 */
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { nodeRange, provideNode } from "../scripts/nodes.ts"
import { certificate } from "../src/internal/sandbox/certificate.ts"
import { drip } from "../test/support/storm.ts"
import type { Outcome, Work } from "./abortsWorker.ts"
import { type Bench, type Figure, round } from "./bench.ts"
import { measure } from "./measure.ts"

const ABORTS = 100_000
const QUICK = 10_000
/** The version that this package is developed on, as package.json pins it. */
const OWN = "24.21.0"

const withServer = async <A>(use: (origin: string) => Promise<A>): Promise<A> => {
  const { cert, key } = certificate
  const server = http2.createSecureServer({ cert, key, settings: { maxConcurrentStreams: 100 } }, drip as never)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    return await use(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
  }
}

const figures = ({ aborts, first, lost, node, peakRss, requests, sessions, took }: Outcome): ReadonlyArray<Figure> => [
  {
    what: `Node ${node.slice(1)}: lost requests that were not aborted`,
    value: lost,
    unit: `of ${requests - aborts}`,
    atMost: 0,
    note: first ?? `${requests} requests, ${aborts} aborts, ${sessions} sessions, ${round(took, 0)} s, exit code 0`
  },
  { what: `Node ${node.slice(1)}: peak RSS`, value: peakRss, unit: "MB", atMost: 400 }
]

export const aborts: Bench = {
  name: "aborts",
  about: `${ABORTS} aborts over HTTP/2 (${QUICK} with --quick), 200 requests at once, in a process of each Node`,
  run: ({ quick }) =>
    withServer(async (origin) => {
      const { newest, oldest } = nodeRange()
      const all: Array<Figure> = []
      for (const version of [oldest, OWN, newest]) {
        process.stderr.write(`  Node ${version}\n`)
        const work = { origin, ca: certificate.ca, aborts: quick ? QUICK : ABORTS }
        // The flag keeps Node 22 from saying on each run that types are stripped.
        const options = { node: provideNode(version), nodeArgs: ["--no-warnings"] }
        all.push(...figures(await measure<Work, Outcome>("abortsWorker.ts", work, options)))
      }
      return all
    })
}
