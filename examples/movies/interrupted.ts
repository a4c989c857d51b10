/** Message after Ctrl-C: the rows that are done are kept. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { count } from "./format.ts"

export const tellRows =
  (out: string) =>
  <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | FileSystem.FileSystem> =>
    Effect.onInterrupt(run, () =>
      Effect.flatMap(FileSystem.FileSystem, (fs) =>
        fs.stream(out).pipe(
          Stream.runFold(0, (rows, bytes) => rows + bytes.filter((byte) => byte === 0x0a).length),
          Effect.orElseSucceed(() => 0),
          Effect.flatMap((rows) => Console.log(`\nstopped; ${count(rows)} rows are in ${out}`))
        )
      )
    )
