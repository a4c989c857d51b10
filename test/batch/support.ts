/** Parts that tests of batches share: folders, prompts against a sandbox, and runs that are collected with their end. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Batch from "../../src/Batch.ts"
import type * as Sandbox from "../../src/testing/Sandbox.ts"

/** A folder that is removed when the scope closes. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "clientele-batch-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export const rowsOf = (count: number): ReadonlyArray<{ readonly title: string }> =>
  Array.from({ length: count }, (_, i) => ({ title: `film ${i}` }))

export interface Collected<Row, A> {
  readonly results: ReadonlyArray<Batch.Result<Row, A>>
  /** The failure with which the run ended. */
  readonly error: unknown
  /** The last progress. */
  readonly progress: Batch.Progress
}

/** Runs to the end, whichever it is. */
export const collect = <Row, A, E, R, E2 = never, R2 = never>(
  options: Batch.RunOptions<Row, A, E, R, E2, R2>
): Effect.Effect<Collected<Row, A>, never, R | R2> =>
  Effect.suspend(() => {
    const results: Array<Batch.Result<Row, A>> = []
    let progress: Batch.Progress | undefined
    const onProgress = (next: Batch.Progress) => {
      progress = next
      options.onProgress?.(next)
    }
    const run = Stream.runForEach(Batch.run({ ...options, onProgress }), (result) =>
      Effect.sync(() => void results.push(result))
    )
    return Effect.map(Effect.exit(run), (exit) => ({
      results,
      error: Exit.isSuccess(exit) ? undefined : Option.getOrElse(Cause.failureOption(exit.cause), () => exit.cause),
      progress: progress!
    }))
  })

/** Lines of a journal, without its header. */
export const recordsIn = (path: string): ReadonlyArray<Record<string, unknown>> =>
  readFileSync(path, "utf8")
    .split("\n")
    .slice(1, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** A prompt over a sandbox, without waits between retries of ours that tests would have to sit through. */
export const promptAt = (sandbox: Sandbox.Sandbox, options: Partial<Batch.PromptOptions<unknown>> = {}) =>
  Batch.prompt({
    model: "openai:gpt-5-mini",
    prompt: "Sum up {{title}}.",
    ...options,
    client: { baseURL: sandbox.baseURL("openai"), apiKey: Redacted.make("sk-test"), ...options.client }
  })

export const values = (results: ReadonlyArray<Batch.Result<unknown, unknown>>): ReadonlyArray<unknown> =>
  results.map((result) => (result.status === "done" ? result.value : result.reason.tag))
