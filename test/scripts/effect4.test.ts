import { assert, describe, it } from "vitest"
import { manifestOf } from "../../scripts/effect4/manifest.ts"
import { pendingIn } from "../../scripts/effect4/pending.ts"
import { Rules } from "../../scripts/effect4/rewrite.ts"
import { rules } from "../../scripts/effect4/rules.ts"

const engine = new Rules(rules)
const rewrite = (...lines: ReadonlyArray<string>): string => engine.rewrite("x.ts", `${lines.join("\n")}\n`)

const effect = `import * as Effect from "effect/Effect"`

/** A file for Effect 3, and the same for Effect 4. */
const files: Readonly<Record<string, readonly [from: ReadonlyArray<string>, to: ReadonlyArray<string>]>> = {
  "keeps what is the same byte for byte": [
    [effect, "", "// A comment with Effect.zipRight", `export const a = Effect.succeed(  "Effect.either"  )`],
    [effect, "", "// A comment with Effect.zipRight", `export const a = Effect.succeed(  "Effect.either"  )`]
  ],
  "renames members, one within another": [
    [effect, `export const a = Effect.zipRight(Effect.void, Effect.either(Effect.void))`],
    [effect, `export const a = Effect.andThen(Effect.void, Effect.result(Effect.void))`]
  ],
  "knows a namespace by its module, whatever its name": [
    [
      `import * as Fx from "effect/Effect"`,
      `const Effect = { zipRight: 1 }`,
      `export const a = [Fx.zipRight, Effect.zipRight]`
    ],
    [
      `import * as Fx from "effect/Effect"`,
      `const Effect = { zipRight: 1 }`,
      `export const a = [Fx.andThen, Effect.zipRight]`
    ]
  ],
  "moves a module and adds the imports that a rule brings": [
    [effect, `import type * as Either from "effect/Either"`, `export const f = (a: Either.Either<1>) => Effect.clock`],
    [
      `import type * as Result from "effect/Result"`,
      `import * as Clock from "effect/Clock"`,
      `export const f = (a: Result.Result<1>) => Clock.Clock`
    ]
  ],
  "rewrites a property of an object, and keeps the lines of what is in it": [
    [
      `import * as Tool from "@effect/ai/Tool"`,
      `import * as Schema from "effect/Schema"`,
      `export const a = Tool.make("a", {`,
      `  description: "it",`,
      `  parameters: {`,
      `    city: Schema.String,`,
      `    day: Schema.Literal("today", "tomorrow")`,
      `  }`,
      `})`
    ],
    [
      `import * as Tool from "effect/ai/Tool"`,
      `import * as Schema from "effect/Schema"`,
      `export const a = Tool.make("a", {`,
      `  description: "it",`,
      `  parameters: Schema.Struct({ city: Schema.String,`,
      `    day: Schema.Literals(["today", "tomorrow"]) })`,
      `})`
    ]
  ],
  "adds imports below the one that names a wrong pair": [
    [
      `import "./internal/needs-effect-3/run-npm-install-effect@3.ts"`,
      `import * as Mailbox from "effect/Mailbox"`,
      `import * as Stream from "effect/Stream"`,
      `export const a = (m: Mailbox.Mailbox<1>) => Mailbox.toStream(m)`
    ],
    [
      `import "./internal/needs-effect-4/run-npm-install-effect@4.ts"`,
      `import type * as Queue from "effect/Queue"`,
      `import * as Stream from "effect/Stream"`,
      `export const a = (m: Queue.Queue<1>) => Stream.fromQueue(m)`
    ]
  ],
  "tells data-first calls from data-last ones": [
    [effect, `export const f = (c: never) => [Effect.withClock(c), Effect.withClock(Effect.void, c)]`],
    [
      `import * as Clock from "effect/Clock"`,
      effect,
      `export const f = (c: never) => [Effect.provideService(Clock.Clock, c), Effect.provideService(Effect.void, Clock.Clock, c)]`
    ]
  ],
  "renames members of values where they are read and where they are declared": [
    [`export const f = (fiber: any) => ({ unsafeCurrentTimeMillis: () => 1, poll: fiber?.unsafeInterruptAsFork(1) })`],
    [`export const f = (fiber: any) => ({ currentTimeMillisUnsafe: () => 1, poll: fiber?.interruptUnsafe() })`]
  ],
  "drops the import of what a rule removes": [
    [
      `import * as Deferred from "effect/Deferred"`,
      `import * as FiberId from "effect/FiberId"`,
      `export const d = Deferred.unsafeMake<1, 2>(FiberId.none)`
    ],
    [`import * as Deferred from "effect/Deferred"`, `export const d = Deferred.makeUnsafe<1, 2>()`]
  ],
  "turns tags and references into what they are": [
    [
      `import * as Context from "effect/Context"`,
      `export class A extends Context.Tag("a")<A, string>() {}`,
      `export class B extends Context.Reference<B>()("b", { defaultValue: () => 1 }) {}`
    ],
    [
      `import * as Context from "effect/Context"`,
      `export class A extends Context.Service<A, string>()("a") {}`,
      `export const B = Context.Reference("b", { defaultValue: () => 1 })`,
      "",
      `export type B = typeof B`
    ]
  ],
  "rewrites what is imported by an expression, and adds no import for it": [
    [
      `export const f = async () => {`,
      `  const Effect = await import("effect/Effect")`,
      `  const HttpClient = await import("@effect/platform/HttpClient")`,
      `  return Effect.zipRight(HttpClient.get("a"), await import("./other.ts"))`,
      `}`
    ],
    [
      `export const f = async () => {`,
      `  const Effect = await import("effect/Effect")`,
      `  const HttpClient = await import("effect/http/HttpClient")`,
      `  return Effect.andThen(HttpClient.get("a"), await import("./other.ts"))`,
      `}`
    ]
  ],
  "keeps the local name of what is imported by name": [
    [`import type { RuntimeFiber } from "effect/Fiber"`, `export type F = RuntimeFiber<1, 2>`],
    [`import type { Fiber as RuntimeFiber } from "effect/Fiber"`, `export type F = RuntimeFiber<1, 2>`]
  ],
  "puts what binds loosely in parentheses": [
    [`import * as Cause from "effect/Cause"`, `export const f = (a: any, b: any) => Cause.failures(a ?? b)`],
    [
      `import * as Cause from "effect/Cause"`,
      `export const f = (a: any, b: any) => (a ?? b).reasons.filter(Cause.isFailReason).map(({ error }) => error)`
    ]
  ],
  "keeps an object that an arrow function returns an object": [
    [`import * as Data from "effect/Data"`, `export const f = () => Data.struct({ a: 1 })`],
    [`export const f = () => ({ a: 1 })`]
  ],
  "names the file whose name is a message after its major": [
    [`import "./internal/needs-effect-3/run-npm-install-effect@3.ts"`],
    [`import "./internal/needs-effect-4/run-npm-install-effect@4.ts"`]
  ]
}

describe("a file for Effect 4", () => {
  it.each(Object.entries(files))("%s", (_, [from, to]) => {
    assert.deepStrictEqual(
      rewrite(...from)
        .trimEnd()
        .split("\n"),
      to
    )
  })
})

describe("rules", () => {
  it("have each a reason, and no two the same pattern", () => {
    assert.isTrue(rules.every(({ why }) => why.length > 0))
    const patterns = rules.map(({ from, within }) => `${from} ${within ?? ""}`)
    assert.deepStrictEqual(
      patterns.filter((one, i) => patterns.indexOf(one) !== i),
      []
    )
  })
})

describe("what is pending", () => {
  it("is every module on @effect/ai-openai, and every module on that", () => {
    const sources = new Map([
      ["src/a.ts", `import "@effect/ai-openai/OpenAiClient"`],
      ["src/b.ts", `import "./a.ts"`],
      ["src/require/c.cts", `import b = require("../b.js")`],
      ["src/d.ts", `import "effect/Effect"`],
      ["src/e.ts", `import "@effect/ai/Tool"`]
    ])
    assert.deepStrictEqual([...pendingIn(sources)].toSorted(), ["src/a.ts", "src/b.ts", "src/require/c.cts"])
  })

  it("is not exported by the package, whose peers are those of Effect 4", () => {
    const manifest = manifestOf(
      {
        name: "clientele",
        version: "3.2.1",
        scripts: {},
        sideEffects: ["./dist/internal/needs-effect-3/*.js"],
        exports: { "./A": 1, "./B": 2 },
        peerDependencies: { "@effect/platform": "1", effect: "^3.22.4", openai: "7" },
        peerDependenciesMeta: { openai: { optional: true } }
      },
      new Set(["src/B.ts"])
    )
    assert.deepStrictEqual(manifest, {
      name: "clientele",
      version: "4.2.1",
      sideEffects: ["./dist/internal/needs-effect-4/*.js"],
      exports: { "./A": 1 },
      dependencies: { "fast-check": "^4.0.0" },
      peerDependencies: { effect: "~4.1.0", openai: "7" },
      peerDependenciesMeta: { openai: { optional: true } }
    })
  })
})
