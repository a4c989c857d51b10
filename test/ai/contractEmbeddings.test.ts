/** Contract of every embedding model, on every server. */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ClientLayer from "../../src/ClientLayer.ts"
import { failure } from "./contractAgents.ts"
import { type Odd, servers } from "./contractServers.ts"
import { kinds, vectorOf } from "./lines.ts"
import { embedders } from "./models.ts"

const embed = (text: string) =>
  Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => Effect.map(model.embed(text), vectorOf))

describe.each(servers)("on $name", ({ make }) => {
  describe.each(embedders)("the embedding model of $name", ({ at, name }) => {
    it.scopedLive("gives each text its own vector, whatever is asked beside", () =>
      Effect.gen(function* () {
        const server = yield* make
        yield* Effect.gen(function* () {
          const texts = ["a", "b", "c"]
          const together = yield* Effect.forEach(texts, embed, { concurrency: "unbounded" })
          assert.strictEqual(server.requests(), 1)
          assert.deepStrictEqual(
            together.map((vector) => vector.length),
            [8, 8, 8]
          )
          for (const [i, vector] of together.entries()) assert.deepStrictEqual(yield* embed(texts[i]!), vector)
          assert.notDeepEqual(together[0], together[1])
        }).pipe(Effect.provide(at(server.baseURL(name), { dimensions: 8 })))
      }).pipe(Effect.provide(ClientLayer.layer()))
    )

    it.scopedLive("reports a server's refusal, its failure, and garbage", () =>
      Effect.gen(function* () {
        const server = yield* make
        const cases: ReadonlyArray<readonly [Odd, object]> = [
          [{ status: 429 }, { kind: kinds.limit, status: 429, reason: "RateLimited" }],
          [{ status: 500 }, { kind: kinds.server, status: 500, reason: "Server" }],
          ["garbage", { kind: kinds.garbage, reason: "Malformed" }]
        ]
        for (const [odd, expected] of cases) {
          server.next(odd)
          const error = yield* Effect.flip(Effect.provide(embed("a"), at(server.baseURL(name))))
          assert.deepInclude(failure(error), expected)
        }
        assert.strictEqual(server.requests(), cases.length)
      }).pipe(Effect.provide(ClientLayer.layer()))
    )
  })
})
