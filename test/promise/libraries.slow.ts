import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"

/** The default of `maxConnections`. */
const bound = 256

const agents = 1_000

// An answer takes long enough for all agents to be there at once.
const openSandbox = Sandbox.make({ protocol: "http/1.1", latency: 50, logSize: 0 })

/** If agents come faster than they are served, as on a busy machine, a warning rightly reports that they wait. */
const node = [process.execPath, "--disable-warning=ClienteleWarning"]

const run = (sandbox: Sandbox.Sandbox, modes: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const child = yield* Child.run("libraries.ts", [sandbox.baseURL("openai"), String(agents), ...modes], env, node)
    return yield* Effect.promise(() => child.ended)
  })

/** Number of sockets in all. */
const check = ({ stats }: Sandbox.Sandbox, requests: number): number => {
  const { connections, ...served } = stats()
  assert.strictEqual(served.requests, requests)
  assert.isAtMost(connections.total, bound)
  return connections.total
}

describe("a thousand agents of a library that makes a client for each", () => {
  it.live(
    "LangChain's are pooled with clientele/register, over the copy of openai that it brings",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* openSandbox
        const register = new URL("../../src/register.ts", import.meta.url).href
        const env = { NODE_OPTIONS: `--import=${register}`, CLIENTELE_REPORT: "1" }
        const ended = yield* run(sandbox, ["langchain"], env)
        const sockets = check(sandbox, agents)
        const { stderr, ...rest } = ended
        assert.deepStrictEqual(rest, { code: 0, signal: null, stdout: `langchain ${agents}\nbuilt 1\n` })
        const [first, , row = "", ...others] = stderr.split("\n")
        assert.strictEqual(
          first,
          `clientele: ${agents} clients asked for, 1 built; at most ${sockets} sockets open at once`
        )
        assert.deepStrictEqual(row.trim().split(/ +/), [sandbox.origin, "pooled", "1", `${agents}`, `${sockets}`])
        assert.deepStrictEqual(others, [""])
      }).pipe(Effect.scoped),
    180_000
  )

  it.live(
    "LangChain's and those of Vercel's AI SDK share the sockets of a fetch that they are given",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* openSandbox
        const ended = yield* run(sandbox, ["langchainFetch", "vercel"], {})
        assert.deepStrictEqual(ended, {
          code: 0,
          signal: null,
          stdout: `langchainFetch ${agents}\nvercel ${agents}\nbuilt 1\n`,
          stderr: ""
        })
        check(sandbox, 2 * agents)
      }).pipe(Effect.scoped),
    180_000
  )
})
