/** The side of a process that is measured: `measure.ts` starts it. Imports nothing, as it is part of what is measured. */

/** The work that was asked for. */
export const input = <Input>(): Input => JSON.parse(process.argv[2] ?? "null") as Input

/** Sends the one result. The process then ends by itself, if nothing was left open. */
export const report = (output: unknown): void => {
  process.send?.(output, () => process.disconnect())
}
