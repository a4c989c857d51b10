/** The process's environment as SDKs read it. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"

/** Trimmed; what is empty is absent. */
export const variable = (name: string): string | undefined => process.env[name]?.trim() || undefined

const nameOf = (line: string): string =>
  line
    .slice(0, Math.max(0, line.indexOf(":")))
    .trim()
    .toLowerCase()

/** Runs it as if the lines of these headers were not in the variable that holds headers. */
export const without = <A, E>(
  effect: Effect.Effect<A, E>,
  variableOfHeaders: string | undefined,
  names: ReadonlyArray<string>
): Effect.Effect<A, E> => {
  const lines = variableOfHeaders === undefined ? undefined : process.env[variableOfHeaders]?.split("\n")
  if (variableOfHeaders === undefined || !lines?.some((line) => names.includes(nameOf(line)))) return effect
  const rest = lines.filter((line) => !names.includes(nameOf(line))).join("\n")
  const all = { ...process.env, [variableOfHeaders]: rest }
  const defined = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(defined)))
}
