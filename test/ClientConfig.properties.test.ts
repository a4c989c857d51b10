import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import * as assert from "node:assert/strict"
import { inspect, isDeepStrictEqual } from "node:util"
import { describe, it } from "vitest"
import * as ClientConfig from "../src/ClientConfig.ts"
import * as Credential from "../src/Credential.ts"
import * as specs from "../src/internal/config/specs.ts"
import { transportLimits } from "../src/internal/util/bounds.ts"
import { draws } from "./support/draws.ts"

type Spec = ClientConfig.Spec<string, string>
type Env = Readonly<Record<string, string>>

/** The options that are durations, with their defaults; that of `timeout` is the spec's. */
const timeDefaults = {
  timeout: undefined,
  bodyTimeout: 300_000,
  deadline: Infinity,
  maxRetryAfter: 60_000,
  queueTimeout: Infinity
} as const
type TimeName = keyof typeof timeDefaults
const timeNames = Object.keys(timeDefaults) as ReadonlyArray<TimeName>

const quotaDefaults = {
  requestsPerMinute: Infinity,
  tokensPerMinute: Infinity,
  burst: 1,
  maxConcurrency: Infinity,
  maxWaiters: 100_000,
  retriesPerSecond: 10
}
const adaptiveDefaults = { initial: 10, min: 1, max: Infinity, backoff: 0.8, growth: 1, tolerance: 2 }
type Adaptive = typeof adaptiveDefaults
type Quota = Omit<typeof quotaDefaults, "maxConcurrency"> & { readonly maxConcurrency: number | Adaptive }

/** The meaning of a configuration, apart from the form in which it is written. */
interface Meaning {
  readonly key: string
  readonly secure: boolean
  readonly host: string
  readonly port: number | undefined
  readonly path: ReadonlyArray<string>
  readonly times: Readonly<Record<TimeName, number>>
  readonly maxRetries: number
  readonly retryAmbiguous: string
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly transport: Readonly<Record<string, string | number | boolean | undefined>>
  readonly quota: Quota
  readonly extra: Readonly<Record<string, string | undefined>>
}

const transportDefaults = {
  maxConnections: 256,
  http2: true,
  keepAlive: 60_000,
  maxConnectionAge: 300_000,
  connectTimeout: 10_000,
  ...transportLimits,
  circuitFailures: 64,
  circuitCooldown: 5_000,
  proxy: undefined,
  isolation: "shared"
} as const

const limitNames = Object.keys(transportLimits) as ReadonlyArray<keyof typeof transportLimits>
const transportTimes = ["keepAlive", "maxConnectionAge", "connectTimeout", "circuitCooldown"]

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/)
const secretText = fc.stringMatching(/^[!-~]{1,40}$/)
const time = fc.oneof(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.constant(Infinity))
const limit = fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.constant(Infinity))
const maybe = <A>(a: fc.Arbitrary<A>) => fc.option(a, { nil: undefined })
const headerValue = fc.stringMatching(/^[!-~]{0,10}$/)

/** For each limit: its default, none, or a number. */
const bounds = Object.fromEntries(
  limitNames.map((name) => [
    name,
    fc.oneof(fc.constantFrom(transportLimits[name], Infinity), fc.integer({ min: 1, max: 2 ** 40 }))
  ])
)

const adaptive: fc.Arbitrary<Adaptive> = fc
  .record({
    bounds: fc.tuple(fc.integer({ min: 1, max: 20 }), limit, limit).map((all) => all.toSorted((a, b) => a - b)),
    backoff: fc.constantFrom(0.5, 0.8, 0.9),
    growth: fc.constantFrom(0.4, 1, 3),
    tolerance: fc.constantFrom(1, 2, Infinity)
  })
  .map(({ bounds: [min = 1, initial = 1, max = 1], ...rest }) => ({
    ...rest,
    min,
    initial: Number.isFinite(initial) ? initial : min,
    max
  }))

const meaning = (spec: Spec): fc.Arbitrary<Meaning> =>
  fc.record({
    key: secretText,
    secure: fc.boolean(),
    host: word.map((name) => `${name}.example`),
    port: maybe(fc.integer({ min: 1024, max: 65_535 })),
    path: fc.array(word, { maxLength: 2 }),
    times: fc.record({
      timeout: fc.oneof(time, fc.constant(Number(spec.timeout))),
      bodyTimeout: fc.oneof(time, fc.constant(300_000)),
      deadline: time,
      maxRetryAfter: fc.oneof(time, fc.constantFrom(0, 60_000)),
      queueTimeout: time
    }),
    maxRetries: fc.integer({ min: 0, max: 4 }),
    retryAmbiguous: fc.constantFrom("generation", "never", "always"),
    headers: fc.dictionary(
      word.map((name) => `x-${name}`),
      headerValue,
      { maxKeys: 3 }
    ),
    query: fc.dictionary(word, fc.string({ unit: "grapheme", maxLength: 6 }), { maxKeys: 3 }),
    transport: fc.record({
      maxConnections: fc.constantFrom(1, 64, 256),
      http2: fc.constantFrom(true, false, "prior-knowledge"),
      keepAlive: fc.oneof(time, fc.constant(60_000)),
      maxConnectionAge: fc.oneof(time, fc.constant(300_000)),
      connectTimeout: fc.oneof(time, fc.constant(10_000)),
      ...bounds,
      circuitFailures: fc.constantFrom(0, 1, 64),
      circuitCooldown: fc.oneof(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.constant(5_000)),
      proxy: maybe(word.map((name) => `http://me:secret@${name}.example:3128`)),
      isolation: fc.constantFrom("shared", "client")
    }),
    quota: fc.record({
      requestsPerMinute: limit,
      tokensPerMinute: limit,
      burst: fc.integer({ min: 1, max: 3 }),
      maxConcurrency: fc.oneof(limit, adaptive),
      maxWaiters: fc.oneof(limit, fc.constant(100_000)),
      retriesPerSecond: fc.oneof(limit, fc.constant(10))
    }),
    extra: fc.record(
      Object.fromEntries(
        Object.entries(spec.extra ?? {})
          .filter(([, field]) => field.baseURLPath === undefined)
          .map(([name, field]) => [name, field.required === true ? word : maybe(word)])
      )
    )
  })

/** One of the ways to write a meaning down, as `g` chooses. */
const write = (g: fc.GeneratorValue, spec: Spec, m: Meaning): { readonly options: unknown; readonly env: Env } => {
  // Only places are drawn, never values: a value that was drawn for one meaning would come back for a smaller one.
  const pick = <A>(...list: ReadonlyArray<A>): A => list[g(fc.nat, { max: list.length - 1 })] as A
  const flip = () => g(fc.boolean)
  const env: Record<string, string> = {}
  const pad = (text: string) => (flip() ? ` ${text}\n` : text)
  const anyCase = (text: string) => [...text].map((c) => (g(fc.boolean) ? c.toUpperCase() : c)).join("")
  const shuffle = <A>(list: ReadonlyArray<A>): Array<A> => {
    const rest = [...list]
    return list.flatMap(() => rest.splice(g(fc.nat, { max: rest.length - 1 }), 1))
  }
  const mixed = (fields: Record<string, unknown>) => Object.fromEntries(shuffle(Object.entries(fields)))
  const duration = (ms: number): unknown =>
    ms === Infinity
      ? pick<unknown>(Infinity, Duration.infinity)
      : pick<unknown>(
          ms,
          Duration.millis(ms),
          Duration.nanos(BigInt(ms) * 1_000_000n),
          BigInt(ms) * 1_000_000n,
          `${ms} millis`,
          Duration.seconds(ms / 1000),
          `${ms / 1000} seconds`,
          [Math.floor(ms / 1000), (ms % 1000) * 1_000_000]
        )
  /** A default is explicit, left out, or `undefined`. */
  const put = (into: Record<string, unknown>, name: string, value: unknown, isDefault: boolean) => {
    if (!isDefault || flip()) into[name] = value
    else into[name] = undefined
    if (isDefault && flip()) delete into[name]
  }
  const concurrency = (value: Adaptive): unknown => {
    const into: Record<string, unknown> = {}
    for (const name of Object.keys(adaptiveDefaults) as ReadonlyArray<keyof Adaptive>) {
      // A beginning that is not given follows the bounds.
      const otherwise = name === "initial" ? Math.min(Math.max(10, value.min), value.max) : adaptiveDefaults[name]
      put(into, name, value[name], value[name] === otherwise)
    }
    return isDeepStrictEqual(value, adaptiveDefaults) && flip() ? "adaptive" : mixed(into)
  }
  const options: Record<string, unknown> = {}

  const given = (name: string, variable: string | undefined, value: string, wrap: (text: string) => unknown) => {
    // Explicit options win over the environment.
    if (variable === undefined || flip()) {
      options[name] = wrap(value)
      if (variable !== undefined && flip()) env[variable] = "http://elsewhere.example/other"
    } else env[variable] = pad(value)
  }
  given("apiKey", spec.env?.apiKey, m.key, (key) =>
    flip() ? Redacted.make(pad(key)) : Credential.fixed(Redacted.make(pad(key)))
  )

  const origin = (scheme: string) => {
    const standard = scheme === "https" ? ":443" : ":80"
    const port = m.port === undefined ? (flip() ? standard : "") : `:${m.port}`
    return `${anyCase(scheme)}://${anyCase(m.host)}${port}`
  }
  const slash = pick("", "/", "//")
  const fragment = pick("", "#part")
  const base = origin(m.secure ? "https" : "http")
  const endpoint = Object.entries(spec.extra ?? {}).find(([, field]) => field.baseURLPath !== undefined)
  const path = endpoint === undefined ? m.path : ["openai", ...m.path]
  if (endpoint !== undefined && m.path.length === 0 && flip()) {
    const [name, field] = endpoint
    if (field.env === undefined || flip()) options[name] = pad(base + slash)
    else env[field.env] = base + slash
  } else given("baseURL", spec.env?.baseURL, [base, ...path].join("/") + slash + fragment, pad)

  for (const name of timeNames) {
    put(options, name, duration(m.times[name]), m.times[name] === (timeDefaults[name] ?? spec.timeout))
  }
  put(options, "maxRetries", m.maxRetries, m.maxRetries === 2)
  put(options, "retryAmbiguous", m.retryAmbiguous, m.retryAmbiguous === "generation")

  const [inEnv, inOptions] = flip() ? [Object.entries(m.headers), []] : [[], Object.entries(m.headers)]
  if (inEnv.length > 0) {
    const lines = shuffle(inEnv).map(([name, value]) => `${anyCase(name)}: ${value}`)
    env[spec.env?.headers ?? ""] = ["not a header", ...lines].join("\n")
  }
  const pairs = shuffle(inOptions).map(([name, value]): [string, string] => [
    anyCase(name),
    pad(value).replace("\n", " ")
  ])
  put(
    options,
    "headers",
    pick<unknown>(pairs, new Map(pairs), { ...Object.fromEntries(pairs), "x-absent": undefined }, new Headers(pairs)),
    pairs.length === 0
  )
  put(options, "query", mixed({ ...m.query, absent: undefined }), Object.keys(m.query).length === 0)

  const transport: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(m.transport)) {
    const isTime = transportTimes.includes(name)
    const written =
      name === "proxy" && value !== undefined
        ? pick<unknown>(value, `${String(value)}/`, Redacted.make(String(value)))
        : isTime
          ? duration(Number(value))
          : name === "circuitFailures" && value === 0
            ? pick<unknown>(0, false)
            : value
    put(transport, name, written, value === transportDefaults[name as keyof typeof transportDefaults])
  }
  put(options, "transport", mixed(transport), Object.keys(transport).length === 0)
  const quota: Record<string, unknown> = {}
  for (const name of Object.keys(quotaDefaults) as ReadonlyArray<keyof Quota>) {
    const value = m.quota[name]
    put(quota, name, typeof value === "number" ? value : concurrency(value), value === quotaDefaults[name])
  }
  put(options, "quota", mixed(quota), Object.keys(quota).length === 0)

  for (const [name, value] of Object.entries(m.extra)) {
    if (value !== undefined) given(name, spec.extra?.[name]?.env, value, pad)
    else if (flip()) options[name] = pick<unknown>(undefined, null)
  }
  return { options: mixed(options), env }
}

const config = (spec: Spec, options: unknown, env: Env) =>
  ClientConfig.make(spec, options as ClientConfig.Options<string>).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
    Effect.either,
    Effect.runSync
  )

const valid = (spec: Spec, written: { readonly options: unknown; readonly env: Env }): ClientConfig.ClientConfig =>
  Either.getOrThrowWith(config(spec, written.options, written.env), (error) => error)

const fields = [
  "credential",
  "baseURL",
  ...timeNames,
  "maxRetries",
  "retryAmbiguous",
  "headers",
  "query",
  "transport",
  "quota",
  "extra"
] as const satisfies ReadonlyArray<keyof ClientConfig.ClientConfig>

const adaptiveChanges = (from: number | Adaptive): ReadonlyArray<Adaptive> => {
  if (typeof from === "number") return [adaptiveDefaults]
  const { backoff, growth, initial, max, min, tolerance } = from
  return [
    min < initial ? { ...from, min: min + 1 } : { ...from, initial: initial + 1, max: Math.max(max, initial + 1) },
    { ...from, max: Number.isFinite(max) ? max + 1 : initial },
    { ...from, backoff: backoff / 2 },
    { ...from, growth: growth * 2 },
    { ...from, tolerance: Number.isFinite(tolerance) ? tolerance + 1 : 3 }
  ]
}

/** Every way to mean something else in one field. */
const changes = (m: Meaning): ReadonlyArray<Meaning> => [
  { ...m, key: `${m.key}x` },
  { ...m, secure: !m.secure },
  { ...m, host: `x${m.host}` },
  { ...m, port: m.port === undefined ? 8443 : undefined },
  { ...m, path: [...m.path, "x"] },
  ...timeNames.map((name) => ({
    ...m,
    times: { ...m.times, [name]: m.times[name] <= 1 ? 2 : m.times[name] === Infinity ? 9 : m.times[name] - 1 }
  })),
  { ...m, maxRetries: m.maxRetries + 1 },
  { ...m, retryAmbiguous: m.retryAmbiguous === "never" ? "always" : "never" },
  { ...m, headers: { ...m.headers, "x-zzzzzzzzz": "" } },
  ...Object.entries(m.headers).map(([name, value]) => ({ ...m, headers: { ...m.headers, [name]: `${value}x` } })),
  { ...m, query: { ...m.query, zzzzzzzzz: "" } },
  ...Object.entries(m.query).map(([name, value]) => ({ ...m, query: { ...m.query, [name]: `${value}x` } })),
  { ...m, transport: { ...m.transport, maxConnections: 7 } },
  { ...m, transport: { ...m.transport, http2: m.transport["http2"] !== true } },
  ...[...transportTimes, ...limitNames, "circuitFailures"].map((name) => ({
    ...m,
    transport: { ...m.transport, [name]: m.transport[name] === 77 ? 78 : 77 }
  })),
  { ...m, transport: { ...m.transport, proxy: "http://other.example:1" } },
  { ...m, transport: { ...m.transport, isolation: m.transport["isolation"] === "shared" ? "client" : "shared" } },
  ...(Object.keys(quotaDefaults) as ReadonlyArray<keyof Quota>).map((name) => ({
    ...m,
    quota: { ...m.quota, [name]: m.quota[name] === 7 ? 8 : 7 }
  })),
  ...adaptiveChanges(m.quota.maxConcurrency).map((maxConcurrency) => ({ ...m, quota: { ...m.quota, maxConcurrency } })),
  ...Object.keys(m.extra).map((name) => ({ ...m, extra: { ...m.extra, [name]: `${m.extra[name] ?? ""}x` } }))
]

/** Without the prototypes of either side. */
const plain = ({ maxConcurrency, ...rest }: Quota) => ({
  ...rest,
  maxConcurrency: typeof maxConcurrency === "number" ? maxConcurrency : { ...maxConcurrency }
})

const all: ReadonlyArray<Spec> = [specs.openai, specs.azure, specs.groq, specs.cerebras] as ReadonlyArray<Spec>

describe.each(all)("the key of $id", (spec) => {
  it("is one object for all equivalent options", () => {
    fc.assert(
      fc.property(meaning(spec), fc.gen(), (m, g) => {
        const one = valid(spec, write(g, spec, m))
        const two = valid(spec, write(g, spec, m))
        assert.ok(
          one === two,
          `two keys: ${fields.filter((name) => !Equal.equals(one[name], two[name])).join()} differ`
        )
        assert.ok(Equal.equals(ClientConfig.transportKey(one), ClientConfig.transportKey(two)))
      }),
      { numRuns: draws(200) }
    )
  })

  it("is another for any difference in any one field", () => {
    fc.assert(
      fc.property(meaning(spec), fc.gen(), (m, g) => {
        const one = valid(spec, write(g, spec, m))
        for (const changed of changes(m)) {
          const two = valid(spec, write(g, spec, changed))
          assert.ok(!Equal.equals(one, two), inspect(changed, { depth: 4 }))
          assert.notEqual(ClientConfig.fingerprint(one), ClientConfig.fingerprint(two))
        }
      }),
      { numRuns: draws(20) }
    )
  })

  it("is frozen to its leaves, and its hash does not change", () => {
    fc.assert(
      fc.property(meaning(spec), fc.gen(), (m, g) => {
        const one = valid(spec, write(g, spec, m))
        const { maxConcurrency } = one.quota
        for (const part of [one, one.headers, one.query, one.transport, one.quota, maxConcurrency, one.extra]) {
          assert.ok(Object.isFrozen(part))
          assert.equal(Hash.hash(part), Hash.hash(part))
        }
        assert.deepEqual({ ...one.headers }, { ...m.headers })
        assert.deepEqual({ ...one.query }, { ...m.query })
        assert.deepEqual({ ...one.extra }, { ...m.extra })
        assert.deepEqual(Object.fromEntries(timeNames.map((name) => [name, one[name]])), { ...m.times })
        assert.deepEqual(plain(one.quota), plain(m.quota))
      }),
      { numRuns: draws(100) }
    )
  })

  it("shows no secret", () => {
    const canary = "sk-canary-0123456789"
    fc.assert(
      fc.property(meaning(spec), fc.gen(), (m, g) => {
        const one = valid(
          spec,
          write(g, spec, {
            ...m,
            key: canary,
            headers: { ...m.headers, "x-secret": canary },
            query: { ...m.query, code: canary },
            transport: { ...m.transport, proxy: `http://me:${canary}@proxy.example:1` }
          })
        )
        const shown = [
          inspect(one, { depth: 9, showHidden: true }),
          inspect({ nested: [one.headers, one.query, one.transport, one.credential] }, { depth: 9 }),
          JSON.stringify([one, one.headers, one.query, one.transport, one.credential]),
          String(one),
          inspect(ClientConfig.credentialKeys(one), { depth: 9 }),
          inspect(ClientConfig.transportKey(one), { depth: 9 })
        ].join("\n")
        assert.ok(!shown.includes("canary"), shown)
        assert.ok(shown.includes(ClientConfig.fingerprint(one)))
      }),
      { numRuns: draws(50) }
    )
  })

  it("never dies of bad options, and its errors quote no secret", () => {
    const canary = "sk-canary-0123456789"
    const places = [...Object.keys(spec.extra ?? {}), "apiKey", "baseURL", ...timeNames]
    places.push("maxRetries", "retryAmbiguous", "headers", "query", "transport", "quota", "nonsense", canary)
    const nested = ["maxConnections", "http2", "keepAlive", "proxy", "ca", "cert", "key", "isolation"].concat(
      Object.keys(quotaDefaults)
    )
    const raw = fc.oneof(
      fc.constantFrom<unknown>(
        canary,
        `${canary}\u20ac`,
        `https://me:${canary}@host.example`,
        `https://${canary}\n.x/`
      ),
      fc.constantFrom<unknown>(
        Redacted.make(`${canary}\0`),
        Redacted.make(1),
        Redacted.make(` `),
        [canary],
        [[canary]]
      ),
      fc.constantFrom<unknown>(
        { [canary]: 1 },
        { "x-a": `${canary}\r\nhost: x` },
        { [`${canary} `]: "" },
        () => canary
      ),
      fc.record({ name: fc.constantFrom(...nested) }).map(({ name }) => ({ [name]: canary })),
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true })
    )
    let failures = 0
    const numRuns = draws(300)
    fc.assert(
      fc.property(meaning(spec), fc.gen(), fc.constantFrom(...places), raw, (m, g, place, value) => {
        const { options, env } = write(g, spec, m)
        const result = config(spec, { ...(options as object), [place]: value }, env)
        if (Either.isRight(result)) return
        failures++
        assert.equal(result.left._tag, "OptionsError")
        assert.equal(result.left.provider, spec.id)
        const shown = [result.left.message, inspect(result.left, { depth: 9 }), JSON.stringify(result.left)].join("\n")
        // Names of options, headers and parameters are quoted, so that they can be found; all else is described.
        if (place !== canary) assert.ok(!shown.replaceAll(`${place}.${canary}`, "").includes("canary"), shown)
      }),
      { numRuns }
    )
    assert.ok(failures > numRuns / 5, `${failures} failures`)
  })
})
