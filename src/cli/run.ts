/** `clientele run`: an agent for each row of a file. Options are read before Effect is loaded. */
import { UsageError } from "./exit.ts"
import { RUN_HELP } from "./run/flags.ts"
import { readPlan } from "./run/plan.ts"
import { readSettings } from "./run/settings.ts"

export const run = async (args: ReadonlyArray<string>): Promise<number> => {
  const values = readSettings(args, process.env)
  if (values["help"] === true) {
    process.stdout.write(RUN_HELP)
    return 0
  }
  if (values["quiet"] === true && values["json"] === true) {
    throw new UsageError("--quiet and --json are both given; choose one")
  }
  const plan = readPlan(values, process.env)
  const { execute } = await import("./run/execute.ts")
  return execute(plan, args)
}
