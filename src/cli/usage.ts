/** Reading flags, with complaints that name the flag, what was given, and what would do. */
import { nearest } from "../internal/util/closestName.ts"
import { parseArgs, type ParseArgsOptionsConfig } from "node:util"
import { UsageError } from "./exit.ts"

/** Names of settings for complaints, where they are no flags. */
export const LABELS: unique symbol = Symbol("labels")

export type Values = Readonly<Record<string, string | boolean | ReadonlyArray<string | boolean> | undefined>> & {
  readonly [LABELS]?: Readonly<Record<string, string>>
}

/** A setting as its giver named it: `--model`, `CLIENTELE_RUN_MODEL`. */
export const labelOf = (values: Values, name: string): string => values[LABELS]?.[name] ?? `--${name}`

export const parse = (args: ReadonlyArray<string>, options: ParseArgsOptionsConfig, command: string): Values =>
  parseWithOperands(args, options, command, false).values

/** The same for commands that take arguments without a flag. */
export const parseWithOperands = (
  args: ReadonlyArray<string>,
  options: ParseArgsOptionsConfig,
  command: string,
  allowPositionals = true
): { readonly values: Values; readonly operands: ReadonlyArray<string> } => {
  try {
    const { positionals, values } = parseArgs({ args: [...args], options, strict: true, allowPositionals })
    return { values, operands: positionals }
  } catch (error) {
    throw new UsageError(complaint(error, args, options, command))
  }
}

const complaint = (
  error: unknown,
  args: ReadonlyArray<string>,
  options: ParseArgsOptionsConfig,
  command: string
): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  const hint = `see clientele ${command} --help`
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const flag =
      args.find((arg) => arg.length > 1 && arg.startsWith("-") && !Object.hasOwn(options, nameOf(arg))) ?? "?"
    const near = nearest(nameOf(flag), Object.keys(options))
    const guess = near === undefined ? hint : `did you mean --${near}?`
    return `unknown option ${flag.split("=")[0]} of ${command}; ${guess}`
  }
  if (code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL") {
    const stray = error instanceof Error ? (/'([^']*)'/.exec(error.message)?.[1] ?? "") : ""
    return `unexpected argument "${stray}" of ${command}; options begin with --; ${hint}`
  }
  const message = error instanceof Error ? error.message : String(error)
  const flag = /--[\w-]+/.exec(message)?.[0] ?? "an option"
  const takesValue = options[nameOf(flag)]?.type === "string"
  return takesValue
    ? `${flag} has no value; expected ${flag} VALUE, or ${flag}=VALUE if it begins with a dash; ${hint}`
    : `${flag} takes no value; ${hint}`
}

const nameOf = (arg: string): string => arg.replace(/^--?/, "").split("=")[0] ?? ""

export interface Range {
  readonly min: number
  readonly max?: number | undefined
  readonly whole?: boolean | undefined
  readonly unit?: string | undefined
}

export const number = (values: Values, name: string, range: Range): number | undefined => {
  const given = values[name]
  if (given === undefined) return undefined
  const value = typeof given === "string" && given.trim() !== "" ? Number(given) : NaN
  const max = range.max ?? Infinity
  if (value >= range.min && value <= max && (range.whole !== true || Number.isInteger(value))) return value
  const kind = range.whole === true ? "a whole number" : "a number"
  const unit = range.unit === undefined ? "" : ` of ${range.unit}`
  const bounds = max === Infinity ? `from ${range.min} up` : `from ${range.min} to ${max}`
  throw new UsageError(`${labelOf(values, name)} is ${JSON.stringify(given)}; expected ${kind}${unit} ${bounds}`)
}

export const oneOf = <A extends string>(values: Values, name: string, choices: ReadonlyArray<A>): A | undefined => {
  const given = values[name]
  if (given === undefined) return undefined
  const choice = choices.find((one) => one === given)
  if (choice !== undefined) return choice
  throw new UsageError(`${labelOf(values, name)} is ${JSON.stringify(given)}; expected one of ${choices.join(", ")}`)
}

export const texts = (values: Values, name: string): ReadonlyArray<string> | undefined => {
  const given = values[name]
  return Array.isArray(given) ? given.map(String) : undefined
}

export const text = (values: Values, name: string): string | undefined => {
  const given = values[name]
  return typeof given === "string" ? given : undefined
}
