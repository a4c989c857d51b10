/** Reads environment variables through the fiber's ConfigProvider. */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
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
  Effect.configProviderWith((source) =>
    // The same answers as by the long road below, at a small part of its cost.
    source === live ? Effect.succeed(fromProcess) : throughConfig(provider, source, variables())
  )

const live = Context.get(DefaultServices.liveServices, ConfigProvider.ConfigProvider)

const usable = (value: string | undefined) => value?.trim() || undefined

const fromProcess: Environment = (variable) => usable(process.env[variable])

const throughConfig = (
  provider: string,
  source: ConfigProvider.ConfigProvider,
  variables: ReadonlyArray<string>
): Effect.Effect<Environment, OptionsError> =>
  Effect.map(
    Effect.forEach(variables, (variable) =>
      Effect.catchAllCause(source.load(Config.string(variable)), (cause) => {
        if (Cause.isInterrupted(cause)) return Effect.interrupt
        const error = Option.getOrUndefined(Cause.failureOption(cause))
        if (error !== undefined && ConfigError.isMissingDataOnly(error)) return Effect.succeed(undefined)
        const received = `unreadable (${error?._op ?? "the ConfigProvider died"})`
        return new OptionsError({ provider, field: variable, received, expected: "a readable ConfigProvider" })
      })
    ),
    (values): Environment => {
      const found = new Map(variables.map((variable, i) => [variable, usable(values[i])]))
      return (variable) => found.get(variable)
    }
  )
