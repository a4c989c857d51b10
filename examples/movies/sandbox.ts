/** The sandbox, a stand-in for the three providers, in a process of its own for as long as the scope is open. */
import * as Command from "@effect/platform/Command"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { fileURLToPath } from "node:url"

export class SandboxFailed extends Data.TaggedError("SandboxFailed")<{ readonly message: string }> {}

const CLI = fileURLToPath(new URL("../cli/main.js", import.meta.resolve("clientele/testing/Sandbox")))

/** The line that it prints once it listens. */
const Started = Schema.parseJson(
  Schema.Struct({
    controlOrigin: Schema.String,
    baseURL: Schema.Struct({ openai: Schema.String, groq: Schema.String, cerebras: Schema.String })
  })
)

const Stats = Schema.Struct({ connections: Schema.Struct({ peak: Schema.Number }) })

export const start = (options: { readonly latency: number; readonly caFile: string }) =>
  Effect.gen(function* () {
    const flags = ["--tls", "--write-ca", options.caFile, "--latency", `${options.latency}`, "--json", "--stdin-close"]
    const child = yield* Command.make(process.execPath, CLI, "sandbox", ...flags).pipe(
      Command.stderr("inherit"),
      Command.start
    )
    const line = yield* child.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.runHead)
    const { baseURL, controlOrigin } = yield* Schema.decodeUnknown(Started)(Option.getOrUndefined(line))
    const control = (path: string, method: string) =>
      Effect.tryPromise(async () => {
        const response = await fetch(`${controlOrigin}/__sandbox/${path}`, { method })
        return (await response.json()) as unknown
      })
    return {
      baseURL,
      resetCounts: control("reset", "POST"),
      /** Most connections at one time since the counts were reset. */
      peakSockets: control("stats", "GET").pipe(
        Effect.flatMap(Schema.decodeUnknown(Stats)),
        Effect.map(({ connections }) => connections.peak)
      )
    }
  }).pipe(Effect.mapError((error) => new SandboxFailed({ message: `the sandbox failed: ${error.message}` })))
