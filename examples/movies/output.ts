/** A file of lines. A write succeeds when its line is in the file, which is all the back-pressure that is needed. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs"
import { dirname } from "node:path"

export class OutputError extends Data.TaggedError("OutputError")<{ readonly message: string }> {}

export type Write = (line: string) => Effect.Effect<void, OutputError>

/** The file is made anew. When the scope closes, lines whose writers were interrupted are still written. */
export const open = (file: string): Effect.Effect<Write, OutputError, Scope.Scope> => {
  const failed = (error: Error) => Effect.fail(new OutputError({ message: `can't write ${file}: ${error.message}` }))
  const opened = Effect.async<WriteStream, OutputError>((resume) => {
    try {
      mkdirSync(dirname(file), { recursive: true })
    } catch (error) {
      return resume(failed(error as Error))
    }
    const stream = createWriteStream(file)
    stream.on("open", () => resume(Effect.succeed(stream)))
    stream.on("error", (error) => resume(failed(error)))
  })
  return Effect.map(
    Effect.acquireRelease(opened, close),
    (stream) => (line) =>
      Effect.async((resume) => {
        stream.write(`${line}\n`, (error) => resume(error ? failed(error) : Effect.void))
      })
  )
}

const close = (stream: WriteStream): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (stream.closed) return resume(Effect.void)
    stream.on("close", () => resume(Effect.void)).end()
  })
