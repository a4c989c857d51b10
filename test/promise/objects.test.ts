import OpenAI from "openai"
import { assert, describe, it } from "vitest"
import * as Objects from "../../src/internal/promise/objects.ts"
import { clientOf, configOf, setOf, until } from "./sets.ts"

describe("an SDK object", () => {
  const base = "http://127.0.0.1:9/v1"

  it("is one for options that mean the same, however they are written, and another for any that do not", () => {
    const set = setOf()
    const config = configOf(base)
    const logger = { info: () => undefined }
    const one = clientOf(set, config, "a", { logger })
    assert.strictEqual(clientOf(set, config, "a", { logger }), one, "by its raw key")
    assert.strictEqual(clientOf(set, config, "b", { logger }), one, "by its meaning")
    assert.strictEqual(clientOf(set, config, undefined, { logger }), one, "without a raw key")
    const others = [
      clientOf(set, config, "c"),
      clientOf(set, config, "d", { logger: { info: logger.info } }),
      clientOf(set, config, "e", { logger, logLevel: "off" }),
      clientOf(set, configOf(base, { timeout: 1 }), "f", { logger }),
      set.object("other", "a", () => ({ config, sdk: { logger }, make: () => new OpenAI({ apiKey: "k" }) })),
      clientOf(setOf(), config, "a", { logger })
    ]
    assert.strictEqual(new Set([one, ...others]).size, 7)
  })

  it("is read and made but once for its raw key, and its client not before the first request", async () => {
    const set = setOf()
    const config = configOf(base)
    let [read, made] = [0, 0]
    for (let i = 0; i < 1000; i++) {
      set.object("openai", "raw", () => {
        read++
        return { config, sdk: {}, make: () => ({ number: made++ }) }
      })
    }
    assert.deepStrictEqual({ read, made }, { read: 1, made: 1 })
    const { built, misses } = await set.stats()
    assert.deepStrictEqual({ built, misses }, { built: 0, misses: 0 })
  })

  it("that can't be made is not kept, and what was thrown is thrown", async () => {
    const set = setOf()
    const config = configOf(base)
    let times = 0
    const attempt = () =>
      set.object("openai", "raw", () => ({
        config,
        sdk: {},
        make: () => {
          if (++times < 3) throw new Error(`no ${times}`)
          return { times }
        }
      }))
    assert.throws(attempt, "no 1")
    assert.throws(attempt, "no 2")
    assert.deepStrictEqual(attempt(), { times: 3 })
    assert.deepStrictEqual(attempt(), { times: 3 })
    assert.strictEqual((await set.stats()).objects, 1)
  })

  it("goes when more are held than there is room for, the least recently used first", async () => {
    const objects = Objects.make(2, Infinity)
    const made: Array<string> = []
    const get = (name: string) =>
      objects.get("kind", name, () => ({
        config: configOf(`http://127.0.0.1:9/${name}`),
        sdk: {},
        make: () => {
          made.push(name)
          return { name }
        }
      }))
    get("a")
    get("b")
    get("a")
    get("c")
    assert.deepStrictEqual(objects.counts(), { held: 2, known: 3 })
    await until(() => {
      gc!()
      return objects.counts().known === 2
    })
    for (const name of ["a", "c", "b"]) get(name)
    assert.deepStrictEqual(made, ["a", "b", "c", "b"])
  })

  it("is the same for as long as it is referenced, also when others have taken its place", async () => {
    const set = setOf({ capacity: 1, idleTimeToLive: 10 })
    const mine = clientOf(set, configOf(base), "mine")
    for (let i = 0; i < 50; i++) clientOf(set, configOf(`${base}/${i}`), `${i}`)
    await until(async () => (await set.stats()).objects === 0)
    gc!()
    assert.strictEqual(clientOf(set, configOf(base), "mine"), mine)
    assert.strictEqual(clientOf(set, configOf(base), "mine otherwise"), mine)
  })
})
