/**
 * Names of hosts for tests, resolved in this process alone: Node looks `dns.lookup` up whenever it needs it. `localhost`
 * has two addresses, of which nothing listens at the first, and servers listen at the second.
 */
import dns from "node:dns"

type Answer = ReadonlyArray<string> | "unknown" | "silent"

const names = new Map<string, Answer>([["localhost", ["127.0.0.2", "127.0.0.1"]]])

/** From now on the name has these addresses, is unknown, or its lookups never end. */
export const resolveName = (name: string, answer: Answer): void => void names.set(name, answer)

const system = dns.lookup

type Lookup = (
  name: string,
  options: { readonly all?: boolean },
  done: (error: Error | null, addresses: unknown, family?: number) => void
) => void

const lookup: Lookup = (name, options, done) => {
  const answer = names.get(name)
  if (answer === undefined) return void system(name, options as dns.LookupAllOptions, done)
  if (answer === "silent") return
  setImmediate(() => {
    if (answer === "unknown") {
      const error = new Error(`getaddrinfo ENOTFOUND ${name}`)
      done(Object.assign(error, { code: "ENOTFOUND", syscall: "getaddrinfo", hostname: name }), undefined)
    } else if (options.all === true) {
      done(
        null,
        answer.map((address) => ({ address, family: 4 }))
      )
    } else done(null, answer[0], 4)
  })
}

dns.lookup = lookup as typeof dns.lookup
