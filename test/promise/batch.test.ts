import { join } from "node:path"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { assert, describe, it, vi } from "vitest"
import { makeClients } from "../../src/Promise.ts"
import { BatchError, prompt, run } from "../../src/promise/batch.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const rows = Array.from({ length: 30 }, (_, i) => ({ title: `film ${i}` }))

const given = async function* () {
  yield* rows
}

const one = async () => 1

const lengthOf = async ({ title }: { readonly title: string }, { index }: { readonly index: number }) => {
  if (index === 3) throw new RangeError("too much")
  return title.length
}

const all = async <A>(given: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const values: Array<A> = []
  for await (const value of given) values.push(value)
  return values
}

describe("clientele/promise/batch", () => {
  it("runs an async function for each row of an async iterable", async () => {
    const results = await all(run({ rows: given(), agent: lengthOf, order: "input" }))
    assert.strictEqual(results.length, 30)
    assert.deepStrictEqual(
      results.filter(({ status }) => status === "failed").map(({ index }) => index),
      [3]
    )
    const first = results[0]!
    assert.strictEqual(first.status === "done" && first.value, 6)
  })

  it("asks by a prompt, over a set of clients, and goes on from its journal", async () => {
    await using sandbox = await Sandbox.start({})
    await using clients = makeClients()
    const folder = mkdtempSync(join(tmpdir(), "clientele-batch-"))
    try {
      const client = { baseURL: sandbox.baseURL("openai"), apiKey: "sk-test" }
      const agent = await prompt({ model: "openai:gpt-5-mini", prompt: "Sum up {{title}}.", client })
      const options = { rows, agent, clients, journal: join(folder, "j.jsonl"), cache: join(folder, "cache") }
      let some = 0
      for await (const { status } of run({ ...options, concurrency: 2 })) {
        assert.strictEqual(status, "done")
        if (++some === 5) break
      }
      const results = await all(run(options))
      assert.strictEqual(results.length, 30)
      assert.isAtLeast(results.filter(({ restored }) => restored).length, 5)
      assert.isAtMost(sandbox.stats().requests, 30 + 2)
      assert.strictEqual((await clients.stats()).clients.length, 1)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("aborts rows in flight with its signal, and rejects with the reason", async () => {
    const controller = new AbortController()
    let aborted = 0
    const agent = (_: object, { signal }: { readonly signal: AbortSignal }) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => (aborted++, reject(new Error("aborted"))))
        if (aborted === 0) setTimeout(() => controller.abort(new Error("enough")), 5)
      })
    const results = run({ rows, agent, concurrency: 4, signal: controller.signal })
    const error: unknown = await results.next().catch((error: unknown) => error)
    assert.strictEqual((error as Error).message, "enough")
    assert.strictEqual(aborted, 4)
    assert.deepStrictEqual(await results.next(), { value: undefined, done: true })
  })

  it("ends by its signal while nobody asks for the next result, and drops those that wait", async () => {
    const controller = new AbortController()
    let begun = 0
    let ended = 0
    const agent = async ({ title }: { readonly title: string }, { signal }: { readonly signal: AbortSignal }) => {
      begun++
      if (title !== rows.at(-1)!.title) return title
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      ended++
      return title
    }
    const results = run({ rows, agent, signal: controller.signal })
    assert.strictEqual((await results.next()).done, false)
    await vi.waitUntil(() => begun === rows.length, { interval: 1 })
    controller.abort(new Error("enough"))
    await vi.waitUntil(() => ended === 1, { interval: 1 })
    const error: unknown = await results.next().catch((error: unknown) => error)
    assert.strictEqual((error as Error).message, "enough")
    assert.deepStrictEqual(await results.next(), { value: undefined, done: true })
  })

  it("drains by another signal, and answers calls of next in their order", async () => {
    const drain = new AbortController()
    const agent = async () => drain.abort()
    const results = run({ rows, agent, concurrency: 1, drainSignal: drain.signal })
    const [first, second] = await Promise.all([results.next(), results.next()])
    assert.strictEqual(first.done, false)
    assert.isTrue(second.done === true || second.value!.index === 1)
  })

  it("rejects with a BatchError, also for options, and with what the rows throw", async () => {
    const refused: unknown = await run({ rows, agent: one, concurrency: 0 })
      .next()
      .catch((error: unknown) => error)
    assert.instanceOf(refused, BatchError)
    const broken = async function* () {
      yield rows[0]!
      throw new Error("torn")
    }
    const results = run({ rows: broken(), agent: one })
    assert.strictEqual((await results.next()).done, false)
    const error: unknown = await results.next().catch((error: unknown) => error)
    assert.strictEqual((error as BatchError).message, "reading the rows failed: torn")
    await prompt({ model: "nobody:x" as never, prompt: "x" }).then(
      () => assert.fail("it was made"),
      (error: unknown) => assert.instanceOf(error, BatchError)
    )
  })
})
