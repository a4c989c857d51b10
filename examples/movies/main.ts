/** `npm start`: see --help. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Compare from "./compare.ts"
import * as Flags from "./flags.ts"
import * as Real from "./real.ts"

const main = Effect.gen(function* () {
  const flags = yield* Flags.parse(process.argv.slice(2))
  switch (flags.mode) {
    case "help":
      return yield* Effect.as(Console.log(Flags.HELP), 0)
    case "compare":
      return yield* Compare.run(flags)
    case "real":
      return yield* Real.run(flags)
  }
})

/** Errors of usage, which end the run before anything is sent. */
const wrongUse = new Set(["UsageError", "OptionsError", "PromptError", "RowsError"])

const program = main.pipe(
  Effect.catchAll((error) => Effect.as(Console.error(error.message), wrongUse.has(error._tag) ? 2 : 1)),
  Effect.provide(NodeContext.layer)
)

NodeRuntime.runMain(program, {
  teardown: (exit, end) =>
    end(Exit.isSuccess(exit) ? Number(exit.value) : Cause.isInterruptedOnly(exit.cause) ? 130 : 1)
})
