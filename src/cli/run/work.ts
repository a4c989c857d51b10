/** The agent of a run: a prompt's, or that of a module. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { extname, relative, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Batch from "../../Batch.ts"
import type { ClientMap } from "../../ClientMap.ts"
import { CommandError, EXIT, UsageError } from "../exit.ts"
import type { Row } from "../input/rows.ts"
import type { ModelPlan } from "./modelPlan.ts"
import type { AgentPlan, PromptPlan } from "./plan.ts"

export interface Work {
  readonly agent: (row: Row, call: Batch.Call) => Effect.Effect<unknown, unknown, ClientMap>
  readonly version: string | undefined
  /** @default none: an agent renders its own prompts */
  readonly prompt: Batch.Prompt<unknown> | undefined
  /** The model's name, or the agent's file. */
  readonly name: string
  /** Fields of an answer that is an object. */
  readonly fields: ReadonlyArray<string>
}

export const makeWork = (plan: PromptPlan | AgentPlan, env: NodeJS.ProcessEnv) =>
  plan.kind === "prompt" ? promptWork(plan, env) : moduleWork(plan)

/** A key that a server of one's own ignores. */
const NO_KEY = "none"

const clientOptions = (
  model: ModelPlan,
  env: NodeJS.ProcessEnv
): NonNullable<Batch.PromptOptions<unknown>["client"]> => {
  const secret = model.isKeyless ? NO_KEY : env[model.keyVariable]
  const { baseUrl, provider } = model
  // Azure's SDK calls the origin of a resource its endpoint.
  const isEndpoint =
    provider === "azure" && baseUrl !== undefined && !/\/openai(?:\/|$)/.test(new URL(baseUrl).pathname)
  return {
    ...(secret === undefined ? {} : { apiKey: Redacted.make(secret.trim()) }),
    ...(baseUrl === undefined ? {} : isEndpoint ? { endpoint: baseUrl } : { baseURL: baseUrl }),
    ...(model.apiVersion === undefined ? {} : { apiVersion: model.apiVersion }),
    ...(model.timeoutMs === undefined ? {} : { timeout: model.timeoutMs }),
    quota: { requestsPerMinute: model.rpm, tokensPerMinute: model.tpm }
  }
}

const schemaFields = (schema: PromptPlan["schema"]): ReadonlyArray<string> => {
  const properties = schema?.["properties"]
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : []
}

const promptWork = (plan: PromptPlan, env: NodeJS.ProcessEnv) => {
  const { model, prompt, schema, system } = plan
  const name = `${model.provider}:${model.name}` as const
  const client = clientOptions(model, env)
  return Effect.map(
    Batch.prompt<unknown>({ model: name, prompt, system, schema, params: model.params, client }),
    (made): Work => ({ agent: made, version: undefined, prompt: made, name, fields: schemaFields(schema) })
  )
}

type AgentFunction = (row: Row, call: Batch.Call & { readonly signal: AbortSignal }) => unknown

const ENDINGS = [".ts", ".mts", ".js", ".mjs", ".cts", ".cjs"]

const loadModule = async (file: string): Promise<Readonly<Record<string, unknown>>> => {
  const path = resolve(file)
  if (!existsSync(path)) throw new UsageError(`can't read --agent ${file}: no such file or folder`)
  if (!ENDINGS.includes(extname(path))) {
    throw new UsageError(`--agent is ${JSON.stringify(file)}; expected a module: ${ENDINGS.join(", ")}`)
  }
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n", 1)[0] ?? error.name) : String(error)
    throw new UsageError(`--agent ${file} can't be loaded: ${reason}`)
  }
}

/** Errors of promises stay as they were thrown, whose names are the reasons of failed rows. */
const asEffect =
  (agent: AgentFunction): Work["agent"] =>
  (row, call) =>
    Effect.flatMap(
      Effect.tryPromise({
        try: async (signal) => {
          const { index, key, repeat } = call
          const answer = agent(row, { index, key, repeat, report: (answered) => call.report(answered), signal })
          // An Effect is not awaited: it is run below, in this fiber.
          return Effect.isEffect(answer) ? { effect: answer } : { value: await answer }
        },
        catch: (error) => error
      }),
      (answer) =>
        "effect" in answer
          ? (answer.effect as Effect.Effect<unknown, unknown, ClientMap>)
          : Effect.succeed(answer.value)
    )

const versionOf = (file: string, exported: unknown): string => {
  if (typeof exported === "string" || typeof exported === "number") return `${exported}`
  if (exported !== undefined) throw new UsageError(`version of --agent ${file} is no text; export const version = "1"`)
  return createHash("sha256").update(readFileSync(file)).digest("base64url").slice(0, 16)
}

const loadAgent = async ({ file }: AgentPlan): Promise<Work> => {
  const loaded = await loadModule(file)
  // A CommonJS module is the default export of itself.
  const { default: agent } = (typeof loaded["default"] === "object" ? loaded["default"] : loaded) as {
    default?: unknown
  }
  if (typeof agent !== "function") {
    throw new UsageError(`--agent ${file} exports no function; expected export default (row) => answer`)
  }
  const version = versionOf(file, loaded["version"])
  // Two modules may have the same version.
  const named = Object.assign(asEffect(agent as AgentFunction), { agentName: relative("", resolve(file)) })
  return { agent: named, version, prompt: undefined, name: file, fields: [] }
}

const moduleWork = (plan: AgentPlan): Effect.Effect<Work, CommandError> =>
  Effect.tryPromise({
    try: () => loadAgent(plan),
    catch: (error) => (error instanceof CommandError ? error : new CommandError(String(error), EXIT.usage))
  })
