/** Runs a command of this package's own tools, with its output as ours. */
import { spawnSync } from "node:child_process"
import { delimiter, resolve } from "node:path"

const tools = resolve(import.meta.dirname, "../node_modules/.bin")

/** Its exit code; 1 if it could not be started or was killed. */
export const run = (command: string, ...args: ReadonlyArray<string>): number => {
  const env = { ...process.env, PATH: `${tools}${delimiter}${process.env["PATH"] ?? ""}` }
  const { error, status } = spawnSync(command, args, { env, stdio: "inherit" })
  if (error !== undefined) console.error(`${command}: ${error.message}`)
  return status ?? 1
}
