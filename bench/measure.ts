/** Each variant is measured in a fresh process of its own, so that no heap and no JIT is shared. */
import { spawn } from "node:child_process"
import { pathOf } from "./line.ts"

export interface ChildOptions {
  /** The Node to run. @default the one of this process */
  readonly node?: string | undefined
  readonly nodeArgs?: ReadonlyArray<string> | undefined
  /** The soft and hard limit on open files. @default the one of this process */
  readonly openFiles?: number | undefined
}

/** Runs `bench/<file>` of the line that is measured with `input`, and resolves with the one thing that it reports. */
export const measure = <Input, Output>(file: string, input: Input, options: ChildOptions = {}): Promise<Output> =>
  new Promise((resolve, reject) => {
    const node = [options.node ?? process.execPath, ...(options.nodeArgs ?? []), pathOf(file), JSON.stringify(input)]
    const command =
      options.openFiles === undefined ? node : ["sh", "-c", `ulimit -n ${options.openFiles}; exec "$@"`, "sh", ...node]
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "inherit", "inherit", "ipc"] })
    let output: { readonly value: Output } | undefined
    child.once("message", (message) => {
      output = { value: message as Output }
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      if (output !== undefined && code === 0) resolve(output.value)
      else reject(new Error(`${file} ${JSON.stringify(input).slice(0, 200)} ended with ${signal ?? code}`))
    })
  })
