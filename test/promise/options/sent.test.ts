import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import * as Redacted from "effect/Redacted"
import { Groq } from "groq-sdk"
import * as assert from "node:assert/strict"
import { inspect } from "node:util"
import { AzureOpenAI, OpenAI } from "openai"
import { AzureOpenAI as AzureOpenAI6, OpenAI as OpenAI6 } from "openai6"
import { describe, it } from "vitest"
import { doors, isolateEnvironment, type Options, read, setEnv, type Subject } from "./readings.ts"

isolateEnvironment()

/** One request of an SDK's client, as its fetch is given it. */
const sent = async (make: (fetch: typeof globalThis.fetch) => Asking): Promise<unknown> => {
  let seen: unknown
  const client = make(async (input, init) => {
    const headers = Object.fromEntries(new Headers(init?.headers))
    const { "x-stainless-timeout": _, ...rest } = headers
    seen = { url: String(input), headers: rest, redirect: init?.redirect }
    return Response.json({ data: [] })
  })
  await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] })
  return seen
}

interface Asking {
  readonly chat: { readonly completions: { create(body: object): PromiseLike<unknown> } }
}

type Make = (options: Options) => Asking

const construct = (Sdk: unknown): Make => {
  const Constructor = Sdk as new (options: Options) => Asking
  return (options) => new Constructor(options)
}

describe("a client made of what was read sends what one made of the options sends", () => {
  const gateway = "https://gateway.test/v1"
  const common: ReadonlyArray<Options> = [
    {},
    { defaultHeaders: { Authorization: null, "X-Team": "films" } },
    { defaultHeaders: { "user-agent": null, ACCEPT: "text/plain" } },
    { defaultQuery: { team: "films", none: undefined } },
    { baseURL: gateway, timeout: 2_000 }
  ]
  const modern: ReadonlyArray<Options> = [
    ...common,
    {
      defaultHeaders: [
        ["X-Team", "films"],
        ["Authorization", null]
      ]
    },
    { defaultHeaders: new Headers({ "X-Team": "films" }) },
    { defaultHeaders: { "X-Team": ["films", "series"] } },
    { defaultHeaders: { "X-Env": null } },
    { fetchOptions: { redirect: "error", cache: "no-store" } }
  ]
  const places = [{ endpoint: "https://films.azure.test/" }, { baseURL: gateway, deployment: "small" }]
  const cases: ReadonlyArray<readonly [string, Subject, Make, ReadonlyArray<Options>]> = [
    ["openai 7", doors.openai, construct(OpenAI), [...modern, { organization: "org", project: "films" }]],
    ["openai 6", doors.openai, construct(OpenAI6), [...modern, { organization: "org", project: "films" }]],
    ["openai 7 with a key function", doors.openai, construct(OpenAI), [{ apiKey: async () => "sk-made" }]],
    ["openai 6 with a key function", doors.openai, construct(OpenAI6), [{ apiKey: async () => "sk-made" }]],
    ["azure of openai 7", doors.azure, construct(AzureOpenAI), places],
    ["azure of openai 6", doors.azure, construct(AzureOpenAI6), places],
    ["groq", doors.groq, construct(Groq), modern],
    [
      "cerebras",
      doors.cerebras,
      construct(Cerebras),
      [...common, { defaultHeaders: { Authorization: undefined } }, { defaultHeaders: { "X-Env": null } }]
    ]
  ]
  for (const [name, door, make, variants] of cases) {
    it(name, async () => {
      setEnv({
        OPENAI_CUSTOM_HEADERS: "X-Env: 1",
        CEREBRAS_CUSTOM_HEADERS: "X-Env: 1"
      })
      for (const variant of variants) {
        const options: Record<string, unknown> = { ...door.least, ...variant }
        if (variant["baseURL"] !== undefined) delete options["endpoint"]
        // Beside the variable, groq-sdk spreads a list of headers as if it were a record, and loses it.
        if (name === "groq" && Symbol.iterator in Object(variant["defaultHeaders"]))
          delete process.env["GROQ_CUSTOM_HEADERS"]
        else setEnv({ GROQ_CUSTOM_HEADERS: "X-Env: 1" })
        const theirs = await sent((fetch) => make({ ...options, warmTCPConnection: false, fetch }))
        const { config, sdk } = read(door, options)
        const ours = await sent((fetch) =>
          make({
            apiKey: Redacted.isRedacted(config.credential) ? Redacted.value(config.credential) : undefined,
            baseURL: config.baseURL,
            ...sdk,
            defaultHeaders: { ...config.headers, ...(sdk["defaultHeaders"] as object | undefined) },
            defaultQuery: { ...config.query },
            fetch
          })
        )
        assert.deepEqual(ours, theirs, inspect(variant))
      }
    })
  }
})
