/** Keys of clients, quotas and transports: each decides itself what it equals, on whichever Effect. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Redacted from "effect/Redacted"
import { assert, describe, it } from "vitest"
import * as ClientConfig from "../src/ClientConfig.ts"
import * as Credential from "../src/Credential.ts"
import { credentialKeys, transportKey } from "../src/internal/config/value.ts"
import { sorted, struct } from "../src/internal/options/struct.ts"

const spec = { id: "openai", baseURL: "https://api.example.com/v1", env: {} } as const

const load = Effect.succeed(Redacted.make("sk-1"))
const loaded = (id: string, version?: string) => Credential.make({ id, load, version })

const secret = (text: string) => Redacted.make(text)

const config = (options: ClientConfig.CommonOptions): ClientConfig.ClientConfig =>
  Effect.runSync(ClientConfig.make<"openai">(spec, { apiKey: secret("sk-1"), ...options }))

/** Ways to make a key, each twice the same, and no two of them equal. */
const families: Readonly<Record<string, ReadonlyArray<() => unknown>>> = {
  "a struct": [
    () => struct({ a: 1, b: "x" }),
    () => struct({ a: 1, b: "y" }),
    () => struct({ a: 1 }),
    () => struct({ a: 1, b: undefined }),
    () => struct({ a: 1, b: struct({ c: secret("1") }) }),
    () => struct({ a: 1, b: struct({ c: secret("2") }) })
  ],
  "headers and queries": [
    () => sorted(new Map()),
    () => sorted(new Map([["x-team", "a"]])),
    () => sorted(new Map([["x-team", "b"]])),
    () => sorted(new Map([["x-other", "a"]]))
  ],
  "a fixed credential": [() => Credential.fixed(secret("sk-1")), () => Credential.fixed(secret("sk-2"))],
  "a loaded credential": [() => loaded("a"), () => loaded("b"), () => loaded("a", "1"), () => loaded("a", "2")],
  "a pool": [
    () => Credential.pool([secret("sk-1"), secret("sk-2")]),
    () => Credential.pool([secret("sk-2"), secret("sk-1")]),
    () => Credential.pool([secret("sk-1"), loaded("a")]),
    () => Credential.pool([secret("sk-1"), loaded("b")])
  ],
  "a config": [
    () => config({}),
    () => config({ apiKey: secret("sk-2") }),
    () => config({ apiKey: loaded("a") }),
    () => config({ apiKey: loaded("b") }),
    () => config({ headers: { "x-team": "a" } }),
    () => config({ headers: { "x-team": "b" } }),
    () => config({ quota: { requestsPerMinute: 1 } }),
    () => config({ transport: { maxConnections: 3 } }),
    () => config({ transport: { isolation: "client" } })
  ],
  "the key of a transport": [
    () => transportKey(config({})),
    () => transportKey(config({ transport: { maxConnections: 3 } })),
    () => transportKey(config({ transport: { isolation: "client" } })),
    () => transportKey(config({ transport: { isolation: "client" }, apiKey: secret("sk-2") }))
  ],
  "the key of a quota": [
    () => credentialKeys(config({}))[0],
    () => credentialKeys(config({ apiKey: secret("sk-2") }))[0],
    () => credentialKeys(config({ apiKey: loaded("a") }))[0],
    () => credentialKeys(config({ apiKey: loaded("b") }))[0]
  ]
}

/** Options of which each makes a part of the key. */
const full = config({
  apiKey: Credential.pool([secret("sk-1"), loaded("a", "1")]),
  headers: { "x-team": "a" },
  query: { "api-version": "1" },
  quota: { requestsPerMinute: 1, maxConcurrency: { initial: 2, max: 3 } },
  transport: { isolation: "client", proxy: secret("http://user:password@127.0.0.1:1") }
})

/** Objects of which a key consists, itself included. */
const partsOf = (key: object): ReadonlyArray<object> => [
  key,
  ...Object.values(key)
    .filter((part): part is object => typeof part === "object" && part !== null && part !== key)
    .flatMap(partsOf)
]

it.each<readonly [string, object]>([
  ["a config", full],
  ["the key of a transport", transportKey(full)],
  ["the keys of quotas", credentialKeys(full)[1]!]
])("no part of %s leaves it to Effect what it equals", (_, key) => {
  const parts = partsOf(key)
  assert.isAbove(parts.length, 1)
  for (const part of parts) {
    assert.isTrue(Equal.isEqual(part) && Hash.isHash(part), String(part))
    // Two objects of a class that Effect could not look into would be equal.
    assert.isFalse(Equal.equals(part, new Headers()))
  }
})

describe.each(Object.entries(families))("%s", (_, makes) => {
  it("defines Equal and Hash itself", () => {
    for (const make of makes) {
      const key = make()
      assert.isTrue(Equal.isEqual(key) && Hash.isHash(key), String(key))
    }
  })

  it("equals another that means the same, with the same hash", () => {
    for (const make of makes) {
      const [one, other] = [make(), make()]
      assert.isTrue(Equal.equals(one, other))
      assert.strictEqual(Hash.hash(one), Hash.hash(other))
    }
  })

  it("is a key of its own beside all others", () => {
    const map = MutableHashMap.empty<unknown, number>()
    for (const [i, make] of makes.entries()) MutableHashMap.set(map, make(), i)
    assert.strictEqual(MutableHashMap.size(map), makes.length)
    for (const [i, one] of makes.entries()) {
      for (const [j, other] of makes.entries()) assert.strictEqual(Equal.equals(one(), other()), i === j)
    }
  })
})
