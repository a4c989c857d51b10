import { afterEach, assert, describe, expect, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"

const open: Array<() => unknown> = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
const start = async (options: Sandbox.Options) => {
  const sandbox = await Sandbox.start(options)
  open.push(sandbox.close)
  return sandbox
}

const send = async (sandbox: Sandbox.Sandbox, key: string, body: object = {}) => {
  const response = await fetch(`${sandbox.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }], ...body })
  })
  return { status: response.status, body: await response.text() }
}

/** The log once it has that many entries: a request is in it when its answer has ended on the server's side too. */
const logOf = async (sandbox: Sandbox.Sandbox, size: number) => {
  await expect.poll(() => sandbox.stats().log.length, { timeout: 30_000 }).toBe(size)
  return sandbox.stats().log
}

describe("known keys", () => {
  it("change while it runs, and others get the provider's 401", async () => {
    const sandbox = await start({ apiKeys: ["old"] })
    const statuses = async (...keys: ReadonlyArray<string>) =>
      Promise.all(keys.map(async (key) => (await send(sandbox, key)).status))
    assert.deepEqual(await statuses("old", "new"), [200, 401])
    sandbox.apiKeys(new Set(["old", "new"]))
    assert.deepEqual(await statuses("old", "new"), [200, 200])
    sandbox.apiKeys(["new"])
    assert.deepEqual(await statuses("old", "new", ""), [401, 200, 401])
    assert.strictEqual(JSON.parse((await send(sandbox, "old")).body).error.code, "invalid_api_key")
    sandbox.apiKeys(undefined)
    assert.deepEqual(await statuses("old", "new", ""), [200, 200, 200])
  })

  it("stay valid for requests in flight", async () => {
    const sandbox = await start({ apiKeys: ["old"], latency: 100 })
    const pending = send(sandbox, "old")
    await expect.poll(() => sandbox.stats().inFlight, { timeout: 30_000 }).toBe(1)
    sandbox.apiKeys(["new"])
    assert.strictEqual((await pending).status, 200)
    const [only] = await logOf(sandbox, 1)
    assert.strictEqual(only?.keyKnown, true)
  })

  it("can be set by other processes, which get validation errors", async () => {
    const sandbox = await start({ controlPort: 0 })
    const tell = async (body: string) => {
      const response = await fetch(`${sandbox.controlOrigin}/__sandbox/api-keys`, { method: "POST", body })
      return { status: response.status, text: await response.text() }
    }
    const told = await tell(`["sk-one"]`)
    assert.strictEqual(told.status, 200)
    assert.notInclude(told.text, "sk-one")
    assert.strictEqual((await send(sandbox, "sk-two")).status, 401)
    const error = { error: "expected an array of strings, or null for any key" }
    for (const wrong of [`"sk-two"`, `[1]`, `{}`]) {
      const answer = await tell(wrong)
      assert.deepEqual([answer.status, JSON.parse(answer.text)], [400, error])
    }
    assert.strictEqual((await send(sandbox, "sk-one")).status, 200)
    await tell("null")
    assert.strictEqual((await send(sandbox, "sk-two")).status, 200)
  })
})

describe("the log", () => {
  it("has each request's key, its validity then, and its time", async () => {
    const sandbox = await start({ apiKeys: ["a"] })
    const before = performance.now()
    await send(sandbox, "a", { stream: true })
    await logOf(sandbox, 1)
    const between = performance.now()
    await send(sandbox, "b")
    await logOf(sandbox, 2)
    sandbox.apiKeys(["b"])
    await send(sandbox, "b")
    const after = performance.now()
    const log = await logOf(sandbox, 3)
    assert.deepEqual(
      log.map(({ key, keyKnown, model, status, streamed }) => ({ key, keyKnown, model, status, streamed })),
      [
        { key: Sandbox.fingerprint("a"), keyKnown: true, model: "m", status: 200, streamed: true },
        { key: Sandbox.fingerprint("b"), keyKnown: false, model: undefined, status: 401, streamed: false },
        { key: Sandbox.fingerprint("b"), keyKnown: true, model: "m", status: 200, streamed: false }
      ]
    )
    const times = [before, log[0]?.arrived, between, log[1]?.arrived, log[2]?.arrived, after]
    assert.deepEqual(
      times,
      times.toSorted((a, b) => (a ?? NaN) - (b ?? NaN))
    )
  })

  it("holds as many as configured, the last ones, and none for 0", async () => {
    const two = await start({ logSize: 2 })
    for (const key of ["a", "b", "c"]) {
      await send(two, key)
      await expect.poll(() => two.stats().log.at(-1)?.key, { timeout: 30_000 }).toBe(Sandbox.fingerprint(key))
    }
    assert.deepEqual(
      two.stats().log.map((one) => one.key),
      ["b", "c"].map(Sandbox.fingerprint)
    )
    const none = await start({ logSize: 0 })
    await send(none, "a")
    await expect.poll(() => none.stats().responsesByStatus.get(200), { timeout: 30_000 }).toBe(1)
    assert.deepEqual(none.stats().log, [])
  })
})
