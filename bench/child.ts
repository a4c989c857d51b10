/** Each variant is measured in a fresh process of its own, so that no heap and no JIT is shared. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface ChildOptions {
  /** The Node to run. @default the one of this process */
  readonly node?: string | undefined
  readonly nodeArgs?: ReadonlyArray<string> | undefined
  /** The soft and hard limit on open files. @default the one of this process */
  readonly openFiles?: number | undefined
}

/** Runs `bench/<file>` with `input`, and resolves with the one thing that it reports. */
export const measure = <Input, Output>(file: string, input: Input, options: ChildOptions = {}): Promise<Output> =>
  new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(file, import.meta.url))
    const node = [options.node ?? process.execPath, ...(options.nodeArgs ?? []), path, JSON.stringify(input)]
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

/** In the child: what it was asked. */
export const input = <Input>(): Input => JSON.parse(process.argv[2] ?? "null") as Input

/** In the child: its one result. It then ends by itself, if nothing was left open. */
export const report = (output: unknown): void => {
  process.send?.(output, () => process.disconnect())
}
