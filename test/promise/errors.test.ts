import { inspect } from "node:util"
import { OpenAI } from "openai"
import { assert, describe, it } from "vitest"
import * as Credential from "../../src/Credential.ts"
import * as Effect from "effect/Effect"
import { type PoolError, RequestError } from "../../src/ClientError.ts"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { ask, hello, json, rejection, serve, subjects } from "./doors.ts"

/** Properties that catch clauses look at. */
const seen = (error: Record<string, unknown> & Error) => ({
  class: error.constructor,
  message: error.message,
  status: error["status"],
  code: error["code"],
  param: error["param"],
  type: error["type"],
  error: error["error"],
  requestID: error["requestID"],
  headers: Object.fromEntries(
    error["headers"] instanceof Headers ? error["headers"] : Object.entries(error["headers"] ?? {})
  )
})

describe.concurrent.each(subjects)("errors of $name", ({ bare, get, name, sdk }) => {
  it.each([400, 401, 403, 404, 409, 422, 429, 418, 500, 503])(
    "of status %i are the SDK's as before",
    async (status) => {
      const date = new Date().toUTCString()
      const error = { message: "no, because", code: "its_code", param: "model", type: "its_type" }
      await using provider = await serve((_, response) =>
        json(response, status, name === "cerebras" ? error : { error }, { "x-request-id": "req_1", date })
      )
      await using clients = makeClients()
      const ours = await rejection(ask(get(provider.origin, { maxRetries: 0 }, clients)))
      const theirs = await rejection(ask(bare(provider.origin, { maxRetries: 0 })))
      const { headers, ...rest } = seen(theirs)
      // Headers that inform the layers above about the attempts below.
      const marks = { "x-clientele-attempts": "1", "x-should-retry": "false" }
      assert.deepStrictEqual(seen(ours), { ...rest, headers: { ...headers, ...marks } })
      assert.isTrue(ours instanceof sdk.APIError)
      assert.strictEqual(provider.requests(), 2)
    }
  )

  it("of a key that is refused are an AuthenticationError for each of a hundred requests, and nothing is repeated", async () => {
    await using sandbox = await Sandbox.start({ apiKeys: ["sk-good"] })
    await using clients = makeClients()
    const client = get(sandbox.origin, {}, clients)
    const errors = await Promise.all(Array.from({ length: 100 }, () => rejection(ask(client))))
    assert.deepStrictEqual(
      errors.map((error) => [error instanceof sdk.AuthenticationError, error["status"]]),
      errors.map(() => [true, 401])
    )
    assert.isAtMost(sandbox.stats().requests, 100)
  })

  it("of a server that is not there are an APIConnectionError", async () => {
    const provider = await serve(() => undefined)
    await provider[Symbol.asyncDispose]()
    await using clients = makeClients()
    const ours = await rejection(ask(get(provider.origin, { maxRetries: 0 }, clients)))
    const theirs = await rejection(ask(bare(provider.origin, { maxRetries: 0 })))
    assert.deepStrictEqual(seen(ours), seen(theirs))
    assert.strictEqual(ours.constructor, sdk.APIConnectionError)
    assert.deepInclude(ours.cause, { _tag: "RequestError", reason: "Connection", processed: "no" })
  })

  it("of a timeout are an APIConnectionTimeoutError", async () => {
    await using provider = await serve(() => undefined)
    await using clients = makeClients()
    const options = { maxRetries: 0, timeout: 30 }
    const ours = await rejection(ask(get(provider.origin, options, clients)))
    const theirs = await rejection(ask(bare(provider.origin, options)))
    assert.deepStrictEqual(seen(ours), seen(theirs))
    assert.strictEqual(ours.constructor, sdk.APIConnectionTimeoutError)
    assert.deepInclude(ours.cause, { _tag: "RequestError", reason: "Timeout" })
  })

  it("of a body that is cut in its middle are an APIConnectionError, streamed or not", async () => {
    await using provider = await serve((_, response, body) => {
      const stream = body.includes('"stream":true')
      response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" })
      response.write(stream ? 'data: {"id":"1","choices":[]}\n\n' : '{"id":')
      setTimeout(() => response.destroy(), 20)
    })
    await using clients = makeClients()
    const client = get(provider.origin, { maxRetries: 0 }, clients)
    const read = async () => {
      for await (const _ of await client.chat.completions.create({ ...hello, stream: true })) continue
    }
    for (const error of [await rejection(ask(client)), await rejection(read())]) {
      assert.strictEqual(error.constructor, sdk.APIConnectionError)
      assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Connection", processed: "yes" })
    }
    assert.strictEqual(provider.requests(), 2)
  })

  it("of a stream that ends before its last event are an APIConnectionError", async () => {
    await using provider = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).end('data: {"id":"1","choices":[]}\n\n')
    })
    await using clients = makeClients()
    const client = get(provider.origin, {}, clients)
    const read = async () => {
      for await (const _ of await client.chat.completions.create({ ...hello, stream: true })) continue
    }
    const error = await rejection(read())
    assert.strictEqual(error.constructor, sdk.APIConnectionError)
    assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Connection", processed: "maybe" })
    assert.strictEqual(provider.requests(), 1)
  })

  it("of an HTML page or an empty body are an APIConnectionError with that message", async () => {
    let page = "<html>welcome</html>"
    await using provider = await serve((_, response) => {
      response.writeHead(200, page === "" ? {} : { "content-type": "text/html" }).end(page)
    })
    await using clients = makeClients()
    const client = get(provider.origin, {}, clients)
    for (const text of [page, ""]) {
      page = text
      const error = await rejection(ask(client))
      assert.strictEqual(error.constructor, sdk.APIConnectionError)
      assert.strictEqual(error["reason"], "Malformed")
      assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Malformed", processed: "yes" })
      assert.include(error.message, `responded with ${text === "" ? "nothing" : "text/html"}`)
    }
    assert.strictEqual(provider.requests(), 2)
  })

  it("of a silent stream are an APIConnectionTimeoutError", async () => {
    await using provider = await serve((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"id":"1","choices":[]}\n\n')
    })
    await using clients = makeClients()
    const client = get(provider.origin, { maxRetries: 0, bodyTimeout: 50 }, clients)
    const read = async () => {
      for await (const _ of await client.chat.completions.create({ ...hello, stream: true })) continue
    }
    const error = await rejection(read())
    assert.strictEqual(error.constructor, sdk.APIConnectionTimeoutError)
    assert.deepInclude(error.cause, { _tag: "RequestError", reason: "Timeout" })
  })

  it("of the user's own signal are an APIUserAbortError", async () => {
    await using provider = await serve(() => undefined)
    await using clients = makeClients()
    const failed = async (client: ReturnType<typeof get>) => {
      const controller = new AbortController()
      const asked = rejection(ask(client, { signal: controller.signal }))
      setTimeout(() => controller.abort(), 20)
      return seen(await asked)
    }
    const ours = await failed(get(provider.origin, {}, clients))
    assert.deepStrictEqual(ours, await failed(bare(provider.origin)))
    assert.strictEqual(ours.class, sdk.APIUserAbortError)
  })

  it("of a queue that took too long are a timeout with that message", async () => {
    await using provider = await serve(() => undefined)
    await using clients = makeClients()
    const client = get(provider.origin, { queueTimeout: 30, quota: { maxConcurrency: 1 } }, clients)
    const controller = new AbortController()
    const first = rejection(ask(client, { signal: controller.signal }))
    const error = await rejection(ask(client))
    controller.abort()
    await first
    assert.strictEqual(error.constructor, sdk.APIConnectionTimeoutError)
    assert.strictEqual(error["reason"], "QueueTimeout")
    assert.include(error.message, "QueueTimeout")
  })

  it("of closed clients are an APIError with that message", async () => {
    const clients = makeClients()
    const client = get("http://127.0.0.1:9", {}, clients)
    await clients.close()
    const error = await rejection(ask(client))
    assert.strictEqual(error.constructor, sdk.APIError)
    assert.strictEqual(error["reason"], "Closed")
    assert.strictEqual((error.cause as PoolError)._tag, "PoolError")
    assert.throws(() => get("http://127.0.0.1:9", {}, clients), "closed")
  })

  it("of an account's quota are a RateLimitError with the provider's code, also of those that were not sent", async () => {
    await using provider = await serve((_, response) => {
      const error = { message: "pay", type: "insufficient_quota", param: null, code: "insufficient_quota" }
      setTimeout(() => json(response, 429, name === "cerebras" ? error : { error }), 20)
    })
    await using clients = makeClients()
    const client = get(provider.origin, { quota: { maxConcurrency: 1 } }, clients)
    const errors = await Promise.all(Array.from({ length: 10 }, () => rejection(ask(client))))
    assert.isTrue(errors.every((error) => error instanceof sdk.RateLimitError))
    assert.strictEqual(provider.requests(), 1)
    assert.strictEqual(errors.filter((error) => error["reason"] === "QuotaExceeded").length, 9)
    assert.isTrue(errors.every((error) => inspect(error).includes("insufficient_quota")))
  })

  it("hold no secret", async () => {
    await using provider = await serve((request, response) =>
      json(response, 401, {
        error: { message: `bad key: ${request.headers.authorization ?? request.headers["api-key"]}` }
      })
    )
    await using clients = makeClients()
    const error = await rejection(ask(get(provider.origin, { apiKey: "sk-secret" }, clients)))
    assert.notInclude(inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error), "sk-secret")
    assert.include(inspect(error), "[key]")
  })
})

describe.concurrent("errors of a gate that is closed", () => {
  it.each(subjects)("are a RateLimitError of $name with a Retry-After", async ({ get, sdk }) => {
    await using provider = await serve((_, response) =>
      json(response, 429, { error: { message: "slow down" } }, { "retry-after": "3600" })
    )
    await using clients = makeClients()
    const client = get(provider.origin, {}, clients)
    // Such a claim is accepted when two probes, after 1 s and 2 s more, got the same.
    for (const requests of [1, 2, 3]) {
      const refused = await rejection(ask(client))
      assert.isTrue(refused instanceof sdk.RateLimitError)
      assert.strictEqual(provider.requests(), requests)
    }
    const error = await rejection(ask(client))
    assert.isTrue(error instanceof sdk.RateLimitError)
    assert.strictEqual(provider.requests(), 3)
    assert.strictEqual(error["status"], 429)
    const headers = seen(error).headers as Record<string, string>
    assert.approximately(Number(headers["retry-after"]), 3600, 60)
    assert.approximately(Number(headers["retry-after-ms"]), 3_600_000, 60_000)
    assert.strictEqual((error.cause as RequestError).reason, "RateLimited")
    assert.strictEqual((error.cause as RequestError).processed, "no")
  })
})

it("of a credential that can't be loaded are an APIError with that message", async () => {
  await using clients = makeClients()
  const cause = new Error("sealed")
  const apiKey = Credential.make({ id: "of a vault", load: Effect.fail(cause) })
  const client = getOpenAIClient({ apiKey, baseURL: "http://127.0.0.1:9/v1" }, clients)
  assert.strictEqual(client.apiKey, null)
  const error = await rejection(client.models.list())
  assert.strictEqual(error.constructor, OpenAI.APIError)
  assert.strictEqual(error["reason"], "Authentication")
  assert.isTrue(error.cause instanceof RequestError && error.cause.cause === cause)
})

describe.concurrent("errors of a fetch of getFetch", () => {
  it("are ours for a body that is cut or stalls while it is read, as for a request that fails", async () => {
    await using provider = await serve((request, response) => {
      const path = request.url?.slice("/v1/".length)
      if (path === "gone") response.destroy()
      else response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
      if (path === "cut") setTimeout(() => response.destroy(), 20)
    })
    await using clients = makeClients()
    const baseURL = `${provider.origin}/v1`
    const fetch = clients.getFetch({ apiKey: "sk", baseURL, maxRetries: 0, bodyTimeout: 50 })
    for (const [path, reason] of [
      ["gone", "Connection"],
      ["cut", "Connection"],
      ["mute", "Timeout"]
    ] as const) {
      const error = await rejection(fetch(`${baseURL}/${path}`).then((response) => response.text()))
      assert.instanceOf(error, RequestError, path)
      assert.deepInclude(error, { provider: "openai", baseURL, reason, attempts: 1 }, path)
    }
    const controller = new AbortController()
    const response = await fetch(`${baseURL}/mute`, { signal: controller.signal })
    controller.abort()
    assert.strictEqual((await rejection(response.text())).name, "AbortError", "as of any fetch")
  })
})
