/** Agents that would only wait start when their turn has come, by each way to a client. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert } from "vitest"
import * as OpenAiApi from "../../src/OpenAiApi.ts"
import { serveHolding } from "../support/holding.ts"
import {
  bodyOf,
  configOf,
  CROWD,
  held,
  MOST_STARTED,
  names,
  run,
  SOCKETS,
  startsLate,
  waiting,
  warm,
  ways
} from "../support/lateStart.ts"

for (const [name, way] of Object.entries(ways)) startsLate(name, way, Object.values(ways))

describe("a direct call that stands in line", () => {
  it.live("is written when its turn has come", () =>
    run(
      Effect.gen(function* () {
        const server = yield* serveHolding
        const config = yield* configOf(server)
        yield* warm(config)
        let written = 0
        const call = (name: string) => {
          const toJSON = () => {
            written++
            return bodyOf(name)
          }
          return OpenAiApi.chat(config, { ...bodyOf(name), toJSON } as never)
        }
        const fibers = yield* Effect.forEach(names(CROWD), (name) => Effect.fork(call(name)))
        yield* held(server, SOCKETS)
        yield* waiting
        assert.isAtMost(written, MOST_STARTED)
        server.open()
        yield* Fiber.joinAll(fibers)
        assert.strictEqual(written, CROWD)
      })
    )
  )
})
