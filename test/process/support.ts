/** Children of the tests of how a process ends. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Sandbox from "../../src/testing/Sandbox.ts"
import * as Child from "../support/child.ts"
import { eventually } from "../support/wait.ts"

/** Long beyond all that a process may wait for. */
export const forever = 120_000

/** Milliseconds in which what ends at once has ended, on a busy machine too: all that it could wait for is two minutes. */
export const atOnce = 60_000

/** Children spend most of their time waiting, so tests run side by side; on a busy machine that takes them its time. */
export const concurrent = { concurrent: true, timeout: 180_000 }

/** Milliseconds in which a child begins on such a machine. */
export const patience = 60_000

/** `promise.ts`, whose clients are of the Promise door. */
export const start = (
  sandbox: Sandbox.Sandbox,
  mode: string,
  count = "1",
  node?: ReadonlyArray<string>
): Effect.Effect<Child.Child, never, Scope.Scope> =>
  Child.run("promise.ts", [mode, sandbox.baseURL("openai"), count], { SANDBOX_CA: sandbox.ca }, node)

export const ended = (child: Child.Child): Effect.Effect<Child.Ended> => Effect.promise(() => child.ended)

/** Waits until it has said that. */
export const said = (child: Child.Child, text: string): Effect.Effect<string> =>
  eventually(
    Effect.sync(() => child.stdout()),
    (stdout) => stdout.includes(text),
    patience
  )

/** Waits until so many requests have come to the server. */
export const arrived = (sandbox: Sandbox.Sandbox, count: number): Effect.Effect<number> =>
  eventually(
    Effect.sync(() => sandbox.stats().requests),
    (requests) => requests >= count,
    patience
  )

/** Waits until so many requests are at the server. */
export const inFlight = (sandbox: Sandbox.Sandbox, count: number): Effect.Effect<number> =>
  eventually(
    Effect.sync(() => sandbox.stats().inFlight),
    (inFlight) => inFlight === count,
    patience
  )

/** Waits until the server has no socket any more. */
export const noSockets = (sandbox: Sandbox.Sandbox): Effect.Effect<number> =>
  eventually(
    Effect.sync(() => sandbox.stats().connections.open),
    (open) => open === 0
  )

/** A folder that goes with the scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "clientele-process-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
