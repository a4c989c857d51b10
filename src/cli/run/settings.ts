/** Options of `clientele run` by flag, environment and file, in that order. */
import { readFileSync } from "node:fs"
import { nearest } from "../../internal/util/closestName.ts"
import { ioReason, UsageError } from "../exit.ts"
import { LABELS, parseWithOperands, type Values } from "../usage.ts"
import { BARE_VALUES, RUN_FLAGS, type RunFlag } from "./flags.ts"

const PREFIX = "CLIENTELE_RUN_"

const DEFAULT_FILE = "clientele.json"

type Env = Readonly<Record<string, string | undefined>>

type Setting = string | boolean | ReadonlyArray<string>

interface Layer {
  readonly settings: Readonly<Partial<Record<RunFlag, Setting>>>
  readonly label: (flag: string) => string
}

const isFlag = (name: string): name is RunFlag => Object.hasOwn(RUN_FLAGS, name)

const isMultiple = (flag: RunFlag): boolean => "multiple" in RUN_FLAGS[flag]

/** A flag without a value gets the one that it stands for. */
const withBareValues = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.map((arg) => {
    const bare = arg.startsWith("--") ? BARE_VALUES[arg.slice(2)] : undefined
    return bare === undefined ? arg : `${arg}=${bare}`
  })

const ofFlags = (args: ReadonlyArray<string>): Layer => {
  const { operands, values } = parseWithOperands(withBareValues(args), RUN_FLAGS, "run")
  const [rows, ...more] = operands
  if (more.length > 0) {
    throw new UsageError(
      `unexpected argument "${more[0]}" of run; one file of rows is expected, and options begin with --`
    )
  }
  if (rows !== undefined && values["rows"] !== undefined) {
    throw new UsageError(`rows are given twice: "${rows}" and --rows ${JSON.stringify(values["rows"])}`)
  }
  const settings = rows === undefined ? values : { ...values, rows }
  return { settings: settings as Layer["settings"], label: (flag) => `--${flag}` }
}

const variableOf = (flag: string): string => PREFIX + flag.replaceAll("-", "_").toUpperCase()

/** A boolean of the environment or of a file. */
const asBoolean = (value: unknown, label: string): boolean => {
  if (value === true || value === "true" || value === "1") return true
  if (value === false || value === "false" || value === "0") return false
  throw new UsageError(`${label} is ${JSON.stringify(value)}; expected true or false`)
}

const ofEnvironment = (env: Env): Layer => {
  const settings: Partial<Record<RunFlag, Setting>> = {}
  const known = Object.keys(RUN_FLAGS).map(variableOf)
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || value === undefined || value === "") continue
    const flag = variable.slice(PREFIX.length).toLowerCase().replaceAll("_", "-")
    if (!isFlag(flag) || variableOf(flag) !== variable) {
      const near = nearest(
        variable.slice(PREFIX.length),
        known.map((name) => name.slice(PREFIX.length))
      )
      const guess = near === undefined ? "see clientele run --help" : `did you mean ${PREFIX}${near}?`
      throw new UsageError(`${variable} is no option of run; ${guess}`)
    }
    const isBoolean = RUN_FLAGS[flag].type === "boolean"
    settings[flag] = isBoolean ? asBoolean(value, variable) : isMultiple(flag) ? value.split("\n") : value
  }
  return { settings, label: variableOf }
}

const parsedFile = (file: string, isAsked: boolean): unknown => {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT"
    if (isAbsent && !isAsked) return {}
    throw new UsageError(`can't read ${file}: ${ioReason(error)}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${file} is invalid JSON: ${ioReason(error)}`)
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const fileSetting = (flag: RunFlag, value: unknown, label: string): Setting => {
  if (RUN_FLAGS[flag].type === "boolean") return asBoolean(value, label)
  if (flag === "param" && isObject(value)) {
    return Object.entries(value).map(([name, one]) => `${name}=${JSON.stringify(one)}`)
  }
  if (value === true && BARE_VALUES[flag] !== undefined) return BARE_VALUES[flag]
  if (typeof value === "string" || typeof value === "number") return isMultiple(flag) ? [`${value}`] : `${value}`
  if (isMultiple(flag) && Array.isArray(value) && value.every((one) => typeof one === "string")) return value
  throw new UsageError(
    `${label} is ${JSON.stringify(value)}; expected ${isMultiple(flag) ? "an object" : "a text or a number"}`
  )
}

const ofFile = (file: string | undefined): Layer => {
  const name = file ?? DEFAULT_FILE
  const parsed = parsedFile(name, file !== undefined)
  if (!isObject(parsed))
    throw new UsageError(`${name} holds no JSON object; expected for instance {"model": "groq:NAME"}`)
  const settings: Partial<Record<RunFlag, Setting>> = {}
  for (const [key, value] of Object.entries(parsed)) {
    if (key === "$schema") continue
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    if (!isFlag(flag) || flag === "config" || flag === "help") {
      const near = nearest(key, Object.keys(RUN_FLAGS))
      const guess = near === undefined ? "see clientele run --help" : `did you mean "${near}"?`
      throw new UsageError(`"${key}" in ${name} is no option of run; ${guess}`)
    }
    settings[flag] = fileSetting(flag, value, `"${key}" in ${name}`)
  }
  return { settings, label: (flag) => `"${flag}" in ${name}` }
}

/** Flags that answer one question; whoever answers it first is asked no more. */
const GROUPS: ReadonlyArray<ReadonlyArray<RunFlag>> = [
  ["prompt", "prompt-file", "agent"],
  ["system", "system-file"],
  ["journal", "no-journal"]
]

const merged = (layers: ReadonlyArray<Layer>): Values => {
  const values: Record<string, Setting> = {}
  const labels: Record<string, string> = {}
  for (const { label, settings } of layers) {
    const closed = GROUPS.filter((group) => group.some((flag) => values[flag] !== undefined)).flat()
    for (const [flag, value] of Object.entries(settings)) {
      const own = values[flag]
      // The last of parameters with one name counts.
      if (Array.isArray(own) && Array.isArray(value)) values[flag] = [...value, ...own]
      if (own !== undefined || closed.includes(flag as RunFlag)) continue
      values[flag] = value
      labels[flag] = label(flag)
    }
  }
  return Object.assign(values, { [LABELS]: labels })
}

/** All options, each with the name that its giver used. */
export const readSettings = (args: ReadonlyArray<string>, env: Env): Values => {
  const flags = ofFlags(args)
  const environment = ofEnvironment(env)
  if (flags.settings.help === true) return { help: true }
  const file = flags.settings.config ?? environment.settings.config
  return merged([flags, environment, ofFile(typeof file === "string" ? file : undefined)])
}
