/** Answers that would fill the memory: what comes of them, and how large the process that asked became. */
import * as zlib from "node:zlib"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { json, serve } from "../promise/doors.ts"
import { run } from "../support/child.ts"

const GB = 2 ** 30
const piece = 2 ** 24

/** A gigabyte in a megabyte: a body of gzip may be many, one after the other. */
const gzip = Buffer.concat(Array<Buffer>(GB / piece).fill(zlib.gzipSync(Buffer.alloc(piece, " "))))

interface Said {
  readonly what: string
  readonly reason: unknown
  readonly grown: number
}

const server = Effect.acquireRelease(
  Effect.promise(() =>
    serve((_, response, body) => {
      const { model } = JSON.parse(body) as { readonly model: string }
      response.on("error", () => undefined)
      const type = { "content-type": model === "events" ? "text/event-stream" : "application/json" }
      if (model === "fine") json(response, 200, { choices: [{ message: { content: "hi" } }] })
      else if (model === "twice")
        response.writeHead(200, { ...type, "content-encoding": "gzip, gzip" }).end(zlib.gzipSync(gzip))
      else if (model === "plain") {
        response.writeHead(200, type)
        let left = GB / piece
        const more = () => {
          while (left > 0 && !response.destroyed) {
            left--
            if (!response.write(Buffer.alloc(piece, " "))) return void response.once("drain", more)
          }
          response.end()
        }
        more()
      } else response.writeHead(200, { ...type, "content-encoding": "gzip" }).end(gzip)
    })
  ),
  (it) => Effect.promise(() => it[Symbol.asyncDispose]())
)

describe("an answer of a gigabyte", () => {
  it.scopedLive("is Malformed, compressed or not, and its buffer stays small", () =>
    Effect.gen(function* () {
      assert.isBelow(gzip.length, 2 ** 21)
      const { origin } = yield* server
      const child = yield* run("bombs.ts", [origin])
      const { code, stderr, stdout } = yield* Effect.promise(() => child.ended)
      assert.deepStrictEqual([code, stderr], [0, ""])
      const said = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Said)
      assert.deepStrictEqual(
        said.map(({ reason, what }) => [what, reason]),
        [
          ["gzip, 16 MB at most", "Malformed"],
          ["gzip in gzip, 16 MB at most", "Malformed"],
          ["plain, 16 MB at most", "Malformed"],
          ["events", "Malformed"],
          ["gzip", "Malformed"],
          ["gzip, by a getter", "Malformed"]
        ]
      )
      console.log(said.map(({ grown, what }) => `${what}: ${grown} MB`).join("; "))
      // Bytes read, and their text; the platform's own reader holds both.
      for (const { grown, what } of said) assert.isBelow(grown, what.includes("16 MB") ? 100 : 400, what)
    })
  )
})
