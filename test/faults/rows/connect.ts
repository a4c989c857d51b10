/** Connections that do not come about: names, addresses, certificates, proxies, and what stalls. */
import * as certificates from "../../support/certificates.ts"
import { resolveName } from "../../support/names.ts"
import { serveStalled, type Stalled } from "../../support/stalled.ts"
import { fails, processed } from "../expected.ts"
import type { Row, World } from "../row.ts"
import type { Protocol } from "../server/arrival.ts"

const secure: ReadonlyArray<Protocol> = ["HTTP/1.1 over TLS", "HTTP/2"]
const all: ReadonlyArray<Protocol> = ["HTTP/1.1", "HTTP/2"]

/** Nothing is in flight, since nothing can be. */
const alone = { inFlight: 0 } as const

/** So that each fails as its first attempt does. */
const maxRetries = 0

/** Over clear text any name will do. */
const named = { over: all, server: { secure: false } } as const

const unreached = fails("Connection", { processed: "no", attempts: 1 })
const stalling = fails("Timeout", { processed: "no", attempts: 1 })
const untrusted = fails("Connection", { processed: "no", attempts: 1 })

const counted = (check: (world: World) => boolean, what: string) => (world: World) => (check(world) ? undefined : what)

/** By the port of the provider behind it. */
const stalled = new Map<number, Stalled>()

/** None of the addresses of this file's names is used twice, so that runs can't meet. */
let names = 0

export const rows: ReadonlyArray<Row> = [
  {
    name: "one of two addresses refuses",
    reach: ({ provider }) => `${provider.scheme}://localhost:${provider.port}`,
    expect: {}
  },
  {
    name: "all addresses refuse",
    options: { maxRetries },
    ...alone,
    proxied: true,
    prepare: ({ proxy }) => proxy?.down(),
    heal: ({ proxy }) => proxy?.up(),
    expect: { queued: unreached }
  },
  {
    name: "all addresses refuse for a moment",
    ...alone,
    proxied: true,
    prepare: ({ proxy }) => proxy?.down(),
    befall: ({ proxy }) => new Promise((resolve) => setTimeout(() => resolve(proxy?.up()), 100)),
    expect: {}
  },
  {
    name: "DNS fails",
    options: { maxRetries },
    ...alone,
    ...named,
    reach: ({ provider }) => {
      resolveName(`lost-${provider.port}.test`, "unknown")
      return `http://lost-${provider.port}.test:${provider.port}`
    },
    heal: ({ provider }) => resolveName(`lost-${provider.port}.test`, ["127.0.0.1"]),
    expect: { queued: unreached }
  },
  {
    name: "DNS fails for a moment",
    ...alone,
    ...named,
    reach: ({ provider }) => {
      const name = `moment-${++names}.test`
      resolveName(name, "unknown")
      setTimeout(() => resolveName(name, ["127.0.0.1"]), 100)
      return `http://${name}:${provider.port}`
    },
    expect: {}
  },
  {
    name: "DNS stalls",
    ...alone,
    ...named,
    reach: ({ provider }) => `http://silent.test:${provider.port}`,
    options: { maxRetries, transport: { connectTimeout: 60 } },
    prepare: () => resolveName("silent.test", "silent"),
    expect: { queued: stalling, later: stalling }
  },
  {
    name: "connections stall",
    ...alone,
    options: { maxRetries, transport: { connectTimeout: 1_000 } },
    prepare: async ({ provider }) => stalled.set(provider.port, await serveStalled(provider.port)),
    reach: ({ provider }) => `${provider.scheme}://127.0.0.1:${stalled.get(provider.port)!.port}`,
    heal: ({ provider }) => stalled.get(provider.port)?.release(),
    expect: { queued: stalling },
    check: ({ provider }) => void stalled.get(provider.port)?.close()
  },
  {
    name: "connections stall for longer than timeout",
    ...alone,
    // The kernel dials again after a second.
    options: { maxRetries: 2, maxRetryAfter: 0, timeout: 400 },
    prepare: async ({ provider }) => stalled.set(provider.port, await serveStalled(provider.port)),
    reach: ({ provider }) => `${provider.scheme}://127.0.0.1:${stalled.get(provider.port)!.port}`,
    heal: async ({ provider }) => {
      await stalled.get(provider.port)?.release()
      await new Promise((resolve) => setTimeout(resolve, 600))
    },
    expect: { queued: fails("Timeout", { processed: "no", attempts: 3, says: "within 400 ms" }) },
    check: ({ provider }) => void stalled.get(provider.port)?.close()
  },
  {
    name: "connections stall until a deadline",
    ...alone,
    options: { deadline: 9_000 },
    prepare: async ({ provider }) => stalled.set(provider.port, await serveStalled(provider.port)),
    reach: ({ provider }) => `${provider.scheme}://127.0.0.1:${stalled.get(provider.port)!.port}`,
    heal: ({ provider }) => stalled.get(provider.port)?.release(),
    expect: { queued: fails("Timeout", { processed: "no", attempts: 1, says: "deadline of 9000 ms" }) },
    check: ({ provider }) => void stalled.get(provider.port)?.close()
  },
  {
    name: "TLS, or the first SETTINGS, stalls",
    ...alone,
    over: secure,
    proxied: true,
    options: { maxRetries, transport: { connectTimeout: 1_000 } },
    prepare: ({ proxy }) => proxy?.add({ type: "timeout" }),
    heal: ({ proxy }) => proxy?.clear(),
    expect: { queued: stalling }
  },
  {
    name: "a certificate of another authority",
    ...alone,
    over: secure,
    options: { transport: { ca: certificates.stranger } },
    expect: { queued: untrusted, later: untrusted }
  },
  {
    name: "a certificate of another name",
    ...alone,
    over: secure,
    reach: ({ provider }) => {
      resolveName("wrong.test", ["127.0.0.1"])
      return `https://wrong.test:${provider.port}`
    },
    expect: { queued: untrusted, later: untrusted }
  },
  ...(
    [
      ["expired", certificates.expired],
      ["not valid yet", certificates.early]
    ] as const
  ).map(([what, pair]): Row => ({
    name: `a certificate that is ${what}`,
    ...alone,
    over: secure,
    server: { secure: pair },
    options: { transport: { ca: certificates.authority } },
    expect: { queued: untrusted, later: untrusted }
  })),
  {
    name: "a proxy that refuses",
    options: { maxRetries },
    ...alone,
    tunnelled: true,
    prepare: ({ tunnel }) => tunnel?.refuse(502),
    heal: ({ tunnel }) => tunnel?.refuse(undefined),
    expect: { queued: unreached },
    check: counted(({ tunnel }) => tunnel!.dug > 0, "the proxy was passed by")
  },
  ...(
    [
      ["wants another password", 407, ""],
      // As Squid does.
      ["wants another password, with a long page", 407, `<!DOCTYPE html><title>ERROR</title>${" ".repeat(200_000)}`],
      ["forbids the address", 403, ""]
    ] as const
  ).map(([what, status, page]): Row => ({
    name: `a proxy that ${what}`,
    ...alone,
    tunnelled: true,
    prepare: ({ tunnel }) => tunnel?.refuse(status, page),
    heal: ({ tunnel }) => tunnel?.refuse(undefined),
    expect: {
      queued: fails("Connection", { processed: "no", attempts: 1, says: `(transport.proxy) refused the tunnel to` })
    },
    // One for the request that it refused, and one for the next.
    check: ({ tunnel }) => (tunnel!.asked === 2 ? undefined : `the proxy was asked ${tunnel!.asked} times`)
  })),
  {
    name: "a proxy that dies",
    kinds: ["chat", "stored"],
    tunnelled: true,
    // At once back, so that what is repeated finds it.
    befall: async ({ tunnel }) => {
      await tunnel?.die()
      await tunnel?.rise()
    },
    strike: () => undefined,
    expect: { inFlight: processed() },
    check: counted(({ tunnel }) => tunnel!.dug > 1, "the proxy was passed by")
  },
  {
    name: "a proxy that is dead",
    options: { maxRetries },
    ...alone,
    tunnelled: true,
    prepare: ({ tunnel }) => tunnel?.die(),
    heal: ({ tunnel }) => tunnel?.rise(),
    expect: { queued: unreached }
  }
]
