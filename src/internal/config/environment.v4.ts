/** Reads environment variables through the fiber's ConfigProvider. */
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { OptionsError } from "../../ClientError.ts"

/** Values by variable, trimmed; what is unset or empty is absent, as the SDKs have it. */
export type Environment = (variable: string) => string | undefined

/** Reads `variables` under the current fiber's ConfigProvider. */
export const environment = (
  provider: string,
  variables: () => ReadonlyArray<string>
): Effect.Effect<Environment, OptionsError> =>
  Effect.flatMap(ConfigProvider.ConfigProvider, (source) =>
    // The same answers as by the long road below, at a small part of its cost.
    source === live ? Effect.succeed(fromProcess) : throughConfig(provider, source, variables())
  )

const live = Context.get(Context.empty(), ConfigProvider.ConfigProvider)

const usable = (value: string | undefined) => value?.trim() || undefined

const fromProcess: Environment = (variable) => usable(process.env[variable])

const throughConfig = (
  provider: string,
  source: ConfigProvider.ConfigProvider,
  variables: ReadonlyArray<string>
): Effect.Effect<Environment, OptionsError> =>
  Effect.map(
    Effect.forEach(variables, (variable) =>
      Effect.matchCauseEffect(
        Effect.suspend(() => source.load([variable])),
        {
          onFailure: (cause) => {
            if (Cause.hasInterrupts(cause)) return Effect.interrupt
            const error = Option.getOrUndefined(Cause.findErrorOption(cause))
            const received = `unreadable (${error === undefined ? "the ConfigProvider died" : error._tag})`
            return Effect.fail(
              new OptionsError({ provider, field: variable, received, expected: "a readable ConfigProvider" })
            )
          },
          onSuccess: (node) => Effect.succeed(node?.value)
        }
      )
    ),
    (values): Environment => {
      const found = new Map(variables.map((variable, i) => [variable, usable(values[i])]))
      return (variable) => found.get(variable)
    }
  )
