/** An agent made of a template: renders, sends, reads the answer, checks it, and has it repaired once. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Prompt } from "../../../Batch.ts"
import type { ClientError, OptionsError } from "../../../ClientError.ts"
import type { ClientMap } from "../../../ClientMap.ts"
import { mostOf } from "../cost/cost.ts"
import { ownPriceOf, type Price, priceOf } from "../cost/prices.ts"
import { BatchError, RowFailure } from "../errors.ts"
import type { AgentIdentity, RowCall } from "../result.ts"
import { canonical } from "../rows/rowIdentity.ts"
import * as AnswerSchema from "./answerSchema.ts"
import { textOf } from "./answerText.ts"
import { type Chat, type ChatAnswer, providers } from "./chat.ts"
import { ATTEMPTS, PROMPT, type PromptInternals } from "./internals.ts"
import type { ChatMessage, PromptOptions } from "./model.ts"
import { compile, type Template, type TemplateRow, valueOf } from "./template.ts"

/** Most that a model's own format adds to a message: role, separators. */
const TOKENS_PER_MESSAGE = 16

/** Set by the prompt itself, or of no use in a batch. */
const RESERVED: ReadonlyArray<string> = ["model", "messages", "stream"]

const refuse = (detail: string): BatchError => new BatchError({ reason: "Options", detail })

interface Plan {
  readonly model: string
  readonly chat: Chat
  readonly template: Template
  readonly system: Template | undefined
  readonly schema: AnswerSchema.AnswerSchema | undefined
  readonly repairs: number
  readonly params: Readonly<Record<string, unknown>>
  readonly maxOutputTokens: number | undefined
  readonly identity: AgentIdentity
}

const positive = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined

const outputBound = (params: Readonly<Record<string, unknown>>): number | undefined => {
  const one = positive(params["max_completion_tokens"]) ?? positive(params["max_tokens"])
  return one === undefined ? undefined : one * (positive(params["n"]) ?? 1)
}

const noSystem: Either.Either<string, string> = Either.right("")

type Rendered = Either.Either<ReadonlyArray<ChatMessage>, string>

const rendered = ({ schema, system, template }: Plan, row: TemplateRow): Rendered => {
  const above = system === undefined ? noSystem : system.render(row)
  if (Either.isLeft(above)) return Either.left(above.left)
  const prompt = template.render(row)
  if (Either.isLeft(prompt)) return Either.left(prompt.left)
  const content = [above.right, schema?.instruction ?? ""].filter((text) => text !== "").join("\n\n")
  const asked: ChatMessage = { role: "user", content: prompt.right }
  return Either.right(content === "" ? [asked] : [{ role: "system", content }, asked])
}

const bodyOf = ({ model, params, schema }: Plan, messages: ReadonlyArray<ChatMessage>): object => ({
  model,
  messages,
  ...schema?.params,
  ...params
})

/** An upper bound: no tokenizer makes more tokens of a text than it has bytes. */
const mostTokens = (plan: Plan, messages: ReadonlyArray<ChatMessage>): number =>
  Buffer.byteLength(JSON.stringify(bodyOf(plan, messages))) + TOKENS_PER_MESSAGE * (messages.length + 1)

const mostOfRow = (plan: Plan, price: Price, row: unknown): number | undefined => {
  const messages = Either.getOrUndefined(rendered(plan, row as TemplateRow))
  const output = plan.maxOutputTokens
  if (messages === undefined || output === undefined) return undefined
  const input = mostTokens(plan, messages)
  const first = mostOf(price, input, output)
  if (plan.schema === undefined || plan.repairs === 0) return first
  // The answer comes back as a part of the prompt; text that a model made may take more tokens to read than it took to write.
  const again = input + 2 * output + AnswerSchema.MAX_REPAIR_TOKENS + 2 * TOKENS_PER_MESSAGE
  return first + mostOf(price, again, output)
}

type Answered = Effect.Effect<unknown, ClientError | RowFailure, ClientMap>

const ask = (
  plan: Plan,
  messages: ReadonlyArray<ChatMessage>,
  call: RowCall
): Effect.Effect<string | RowFailure, ClientError, ClientMap> =>
  Effect.map(plan.chat.send(bodyOf(plan, messages)), ({ answer, attempts }: ChatAnswer) => {
    ;(call as { readonly [ATTEMPTS]?: (attempts: number) => void })[ATTEMPTS]?.(attempts)
    if (typeof answer === "object" && answer !== null) call.report(answer)
    return textOf(answer)
  })

const checked = (
  plan: Plan,
  schema: AnswerSchema.AnswerSchema,
  messages: ReadonlyArray<ChatMessage>,
  call: RowCall,
  repairs: number
): Answered =>
  Effect.flatMap(ask(plan, messages, call), (text) => {
    if (typeof text !== "string") return text
    const read = schema.read(text)
    if (Either.isRight(read)) return Effect.succeed(read.right)
    if (repairs > 0) {
      return checked(plan, schema, AnswerSchema.repairing(messages, text, read.left), call, repairs - 1)
    }
    return new RowFailure({ tag: "schema", detail: `the answer does not fit the schema: ${read.left}`, answer: text })
  })

const missing = (column: string): RowFailure =>
  new RowFailure({ tag: "missing_column", detail: `the row has no column ${column}, which the prompt names` })

const run = (plan: Plan, row: TemplateRow, call: RowCall): Answered => {
  const messages = rendered(plan, row)
  if (Either.isLeft(messages)) return missing(messages.left)
  if (plan.schema !== undefined) return checked(plan, plan.schema, messages.right, call, plan.repairs)
  return Effect.flatMap(ask(plan, messages.right, call), (text) =>
    typeof text === "string" ? Effect.succeed(text) : text
  )
}

const columnsOf = ({ system, template }: Plan): ReadonlyArray<string> => [
  ...new Set([...(system?.columns ?? []), ...template.columns])
]

const internals = (plan: Plan): PromptInternals => {
  const { baseURL, isOwnURL, provider } = plan.chat
  const name = `${provider}:${plan.model}`
  return {
    // Other servers have prices of their own.
    price: (own) => (isOwnURL ? priceOf(name, own) : ownPriceOf(name, own)),
    most: (price, row) => mostOfRow(plan, price, row),
    request: (row) => {
      const messages = Either.getOrUndefined(rendered(plan, row as TemplateRow))
      return messages === undefined
        ? undefined
        : canonical({ provider, baseURL, extra: plan.chat.extra, body: bodyOf(plan, messages) })
    },
    lacks: (rows) =>
      columnsOf(plan).find((column) => rows.every((row) => valueOf(row as TemplateRow, column) === undefined))
  }
}

const templateOf = (field: string, text: unknown): Effect.Effect<Template, BatchError> => {
  if (typeof text !== "string" || text.trim() === "") return refuse(`${field} is empty or no text`)
  const template = compile(text)
  return template === undefined
    ? refuse(`${field} has empty braces, {{}}; name a column in them`)
    : Effect.succeed(template)
}

const planOf = <A>(options: PromptOptions<A>): Effect.Effect<Plan, BatchError | OptionsError> =>
  Effect.gen(function* () {
    const colon = typeof options.model === "string" ? options.model.indexOf(":") : -1
    const provider = colon < 0 ? "" : options.model.slice(0, colon)
    const model = colon < 0 ? "" : options.model.slice(colon + 1).trim()
    const known = Object.keys(providers)
    if (!Object.hasOwn(providers, provider) || model === "") {
      return yield* refuse(
        `model is ${JSON.stringify(options.model)}; expected PROVIDER:MODEL with one of ${known.join(", ")}`
      )
    }
    const params = options.params ?? {}
    const reserved = RESERVED.find((name) => name in params)
    if (reserved !== undefined) return yield* refuse(`params has ${reserved}, which the prompt sets itself`)
    const format = options.format ?? (provider === "groq" ? "json_object" : "json_schema")
    const repairs = options.repairs ?? 1
    if (repairs !== 0 && repairs !== 1) return yield* refuse(`repairs is ${String(repairs)}; expected 0 or 1`)
    const template = yield* templateOf("prompt", options.prompt)
    const system = options.system === undefined ? undefined : yield* templateOf("system", options.system)
    const schema = options.schema === undefined ? undefined : yield* AnswerSchema.make(options.schema, format)
    const chat = yield* providers[provider]!(options.client ?? {})
    return {
      model,
      chat,
      template,
      system,
      schema,
      repairs,
      params,
      maxOutputTokens: outputBound(params),
      identity: identityOf(options, { provider, model, chat, schema, format })
    }
  })

const identityOf = <A>(
  { params = {}, prompt, system }: PromptOptions<A>,
  {
    chat,
    format,
    model,
    provider,
    schema
  }: Pick<Plan, "chat" | "model" | "schema"> & { readonly provider: string; readonly format: string }
): AgentIdentity => ({
  model: `${provider}:${model}`,
  ...(chat.isOwnURL ? {} : { baseURL: chat.baseURL }),
  prompt,
  ...(system === undefined ? {} : { system }),
  ...(schema === undefined ? {} : { schema: schema.json, format }),
  // Each by itself, so that a difference names it.
  ...Object.fromEntries(Object.entries(params).map(([name, value]) => [`params.${name}`, value]))
})

export const make = <A>(options: PromptOptions<A>): Effect.Effect<Prompt<A>, BatchError | OptionsError> =>
  Effect.map(planOf(options), (plan) => {
    const agent = (row: TemplateRow, call: RowCall) => run(plan, row, call) as never
    return Object.assign(agent, {
      identity: plan.identity,
      model: `${plan.chat.provider}:${plan.model}`,
      columns: columnsOf(plan),
      render: (row: TemplateRow) => rendered(plan, row),
      maxOutputTokens: plan.maxOutputTokens,
      [PROMPT]: internals(plan)
    })
  })
