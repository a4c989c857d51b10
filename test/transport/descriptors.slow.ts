import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { serveH1, serveH2 } from "./harness.ts"

const run = promisify(execFile)
const source = (path: string): string => fileURLToPath(new URL(`../../src/internal/${path}`, import.meta.url))

/** Runs a script in a process that may have 100 descriptors, and says what it printed. */
const script = async (body: string): Promise<ReadonlyArray<string>> => {
  const code = `
    import { closeSync, openSync } from "node:fs"
    import { makePool } from ${JSON.stringify(source("transport/pool.ts"))}
    import { SocketBudget } from ${JSON.stringify(source("transport/sockets.ts"))}
    const poolOf = (origin) => makePool({ origin, budget: new SocketBudget(500), ca: process.env.CA })
    const timeouts = { headers: 60_000, body: 60_000 }
    const ask = async (pool) => {
      const { body } = await pool.request({ method: "GET", path: "/", headers: {}, body: undefined, signal: undefined, timeouts })
      let text = ""
      for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) text += Buffer.from(chunk)
      return text
    }
    const said = (promise) => promise.catch((error) => error.reason + ", " + error.processed)
    const times = (n, f) => Promise.all(Array.from({ length: n }, f))
    let taken = []
    const takeAll = () => { try { for (;;) taken.push(openSync("/dev/null")) } catch {} }
    const giveBack = () => { for (const one of taken) closeSync(one); taken = [] }
    ${body}
    process.exit(0)
  `
  const node = [process.execPath, "--no-warnings", "--input-type=module", "-e", code]
  const { stdout } = await run("bash", ["-c", `ulimit -n 100; exec "$0" "$@"`, ...node], {
    env: { ...process.env, CA: certificate.ca },
    timeout: 55_000
  })
  return stdout.trim().split("\n")
}

const late = (_: unknown, response: { end: (text: string) => unknown }): void =>
  void setTimeout(() => response.end("ok"), 5)

test("without a descriptor the error is FileDescriptors, also for a failed lookup, until one is free", async () => {
  const { port } = await serveH1(late)
  const said = await script(`
    const pools = ["127.0.0.1", "localhost"].map((host) => poolOf("http://" + host + ":${port}"))
    takeAll()
    for (const pool of pools) console.log(await said(ask(pool)))
    giveBack()
    for (const pool of pools) console.log(await said(ask(pool)))
    console.log(await said(ask(poolOf("http://no-such-name.invalid:1"))))
  `)
  expect(said).toEqual(["FileDescriptors, no", "FileDescriptors, no", "ok", "ok", "Connection, no"])
})

for (const [name, serve, sockets] of [
  ["HTTP/1.1", () => serveH1(late), 4],
  ["HTTP/2", () => serveH2(late, { settings: { maxConcurrentStreams: 4 } }), 1]
] as const) {
  test(`${name}: waiting requests use the existing sockets, and more once descriptors are free`, async () => {
    const { origin } = await serve()
    const said = await script(`
      const pool = poolOf(${JSON.stringify(origin)})
      console.log((await times(4, () => ask(pool))).join(), pool.stats().sockets)
      takeAll()
      const answers = await times(50, () => said(ask(pool)))
      console.log([...new Set(answers)].join(), answers.length, pool.stats().sockets)
      giveBack()
      const until = Date.now() + 10_000
      let more = false
      while (!more && Date.now() < until) {
        const all = times(50, () => said(ask(pool)))
        more = await new Promise((resolve) => setTimeout(() => resolve(pool.stats().sockets > ${sockets}), 20))
        if ((await all).some((answer) => answer !== "ok")) console.log("failed")
      }
      console.log(more)
    `)
    expect(said).toEqual([`ok,ok,ok,ok ${sockets}`, `ok 50 ${sockets}`, "true"])
  })
}

test("without a descriptor a pool waits for the socket of another pool, and is answered", async () => {
  const slow = await serveH1((_, response) => void setTimeout(() => response.end("slow"), 1_000))
  const quick = await serveH1(late)
  const said = await script(`
    const budget = new SocketBudget(500)
    const [holder, waiter] = ["${slow.origin}", "${quick.origin}"].map((origin) => makePool({ origin, budget }))
    const held = ask(holder)
    while (holder.stats().inFlight === 0 || holder.stats().sockets === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await new Promise((resolve) => setTimeout(resolve, 200))
    takeAll()
    console.log((await Promise.all([said(held), said(ask(waiter))])).join(), holder.stats().sockets)
  `)
  expect(said).toEqual(["slow,ok 0"])
})

test("a thread takes an eighth of the free descriptors in one turn of its event loop, in which nothing opens", async () => {
  const said = await script(`
    import { Worker } from "node:worker_threads"
    const thread = new Worker(\`
      import { parentPort } from "node:worker_threads"
      import { Descriptors } from ${JSON.stringify(source("transport/descriptors.ts"))}
      const places = new Descriptors()
      let held = 0
      const user = { held: () => held, idleSince: () => undefined, closeIdle: () => {}, offer: () => false }
      const takeFor = (ms) => {
        const before = held
        for (const until = performance.now() + ms; performance.now() < until;) if (places.take(user)) held++
        return held - before
      }
      const inTurn = takeFor(200)
      // Nothing was opened, so that a later turn finds as much free again.
      setTimeout(() => parentPort.postMessage([inTurn, takeFor(1)]), 500)
    \`, { eval: true, execArgv: ["--input-type=module"] })
    const [inTurn, later] = await new Promise((resolve) => thread.once("message", resolve))
    console.log(inTurn > 0 && inTurn <= 11, later > 0 && later <= 11)
  `)
  expect(said).toEqual(["true true"])
})
