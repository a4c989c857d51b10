// oxlint-disable unicorn/consistent-function-scoping -- a test reads best with its server inside it
import * as fs from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as os from "node:os"
import * as path from "node:path"

import Anthropic from "@anthropic-ai/sdk"
import { Cerebras } from "@cerebras/cerebras_cloud_sdk"
import Groq from "groq-sdk"
import OpenAI, { toFile } from "openai"
import OpenAI6 from "openai6"
import { describe, expect, it } from "vitest"

import { WireError } from "../../src/internal/wire/errors.ts"
import { eventually, failureOf, json, readAll, withSite, type Handler, type Site } from "./support.ts"

interface Chunk {
  readonly choices: ReadonlyArray<{ readonly delta: { readonly content: string } }>
}

/** The part of a chat SDK that is used here; the four differ in types only. */
interface Chat {
  readonly ask: (signal?: AbortSignal) => PromiseLike<unknown> & { asResponse: () => Promise<Response> }
  readonly stream: (signal?: AbortSignal) => Promise<AsyncIterable<Chunk>>
}

interface Sdk {
  readonly name: string
  readonly make: (site: Site) => Chat
  /** The classes of its errors. */
  readonly errors: {
    readonly APIError: ErrorClass
    readonly APIConnectionError: ErrorClass
    readonly APIConnectionTimeoutError: ErrorClass
    readonly APIUserAbortError: ErrorClass
  }
  /**
   * True if it recognizes one of our errors as a timeout: Cerebras asks for the name AbortError, which means another
   * thing.
   */
  readonly seesTimeouts: boolean
  /** True if the error that it makes of a timeout still has ours as its cause. */
  readonly keepsCause: boolean
}

type ErrorClass = abstract new (...args: never) => Error

const request = { model: "m", messages: [{ role: "user", content: "hi" }] } as const

const chat = (client: unknown): Chat => {
  const { create } = (client as OpenAI).chat.completions
  const call = create.bind((client as OpenAI).chat.completions)
  const given = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal })
  return {
    ask: (signal) => call({ ...request, messages: [...request.messages] }, given(signal)),
    stream: async (signal) =>
      (await call({ ...request, messages: [...request.messages], stream: true }, given(signal))) as AsyncIterable<Chunk>
  }
}

const options = ({ fetch, origin }: Site) => ({ apiKey: "key", baseURL: origin, fetch, maxRetries: 0 })

const sdks: ReadonlyArray<Sdk> = [
  {
    name: "openai 7",
    make: (site) => chat(new OpenAI(options(site))),
    errors: OpenAI,
    seesTimeouts: true,
    keepsCause: true
  },
  {
    name: "openai 6",
    make: (site) => chat(new OpenAI6(options(site))),
    errors: OpenAI6,
    seesTimeouts: true,
    keepsCause: false
  },
  { name: "groq", make: (site) => chat(new Groq(options(site))), errors: Groq, seesTimeouts: true, keepsCause: false },
  {
    name: "cerebras",
    make: (site) => chat(new Cerebras({ ...options(site), fetch: site.fetch as never, warmTCPConnection: false })),
    errors: Cerebras,
    seesTimeouts: false,
    keepsCause: true
  }
]

const answer = { id: "1", choices: [{ index: 0, message: { role: "assistant", content: "hello" } }] }
const event = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`

const texts = async (stream: AsyncIterable<Chunk>): Promise<Array<string>> => {
  const seen: Array<string> = []
  for await (const chunk of stream) seen.push(chunk.choices[0]!.delta.content)
  return seen
}

/** Reads the request, then answers it. */
const after =
  (respond: (response: ServerResponse, body: Buffer, request: IncomingMessage) => void): Handler =>
  (request, response) =>
    void readAll(request).then((body) => respond(response, body, request))

/** Cerebras' SDK hands on an event when the next has come: with any fetch. */
const two = event("a") + event("b")

const sse = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" })

describe.each(sdks)("$name over our fetch", ({ errors, keepsCause, make, seesTimeouts }) => {
  it("sends its request whole and reads a JSON answer", async () => {
    const seen: Array<unknown> = []
    const handler = after((response, body, { headers, method }) => {
      seen.push(method, JSON.parse(body.toString()), headers["authorization"], headers["content-length"])
      json(response, answer)
    })
    await withSite(handler, async (site) => {
      expect(await make(site).ask()).toMatchObject(answer)
      expect(seen).toEqual(["POST", request, "Bearer key", expect.stringMatching(/^\d+$/)])
      expect(site.ended()).toBe(1)
    })
  })

  it("reads an event stream to its end", async () => {
    const handler = after((response) => {
      sse(response).write(event("a"))
      response.write(event("b"))
      response.end("data: [DONE]\n\n")
    })
    await withSite(handler, async (site) => {
      expect(await texts(await make(site).stream())).toEqual(["a", "b"])
      await eventually("the exchange ends", () => site.ended() === 1)
    })
  })

  it("stops the server when it breaks out of a stream", async () => {
    const handler = after((response) => void sse(response).write(two))
    await withSite(handler, async (site) => {
      for await (const chunk of await make(site).stream()) {
        expect(chunk.choices[0]!.delta.content).toBe("a")
        break
      }
      await eventually("the server sees the abort", () => site.aborts() === 1)
      await eventually("the exchange ends", () => site.ended() === 1)
    })
  })

  it("fails in a stream that is cut, instead of taking it for whole", async () => {
    const handler = after((response) => {
      sse(response).write(two)
      setTimeout(() => response.destroy(), 20)
    })
    await withSite(handler, async (site) => {
      const seen: Array<string> = []
      const error = await failureOf(
        (async () => {
          for await (const chunk of await make(site).stream()) seen.push(chunk.choices[0]!.delta.content)
        })()
      )
      expect(error).toBeInstanceOf(WireError)
      expect(seen[0]).toBe("a")
      expect(site.ended()).toBe(1)
    })
  })

  it.each([
    [400, "BadRequestError"],
    [401, "AuthenticationError"],
    [404, "NotFoundError"],
    [429, "RateLimitError"],
    [503, "InternalServerError"]
  ])("turns status %i with a JSON body into %s", async (status, name) => {
    const handler = after((response) => {
      response.setHeader("x-request-id", "req_1")
      json(response, { error: { message: "no such luck", code: "luck" } }, status)
    })
    await withSite(handler, async (site) => {
      const error = await failureOf(make(site).ask())
      expect(error).toBeInstanceOf(errors.APIError)
      expect((error as Error).constructor.name).toBe(name)
      expect(error).toMatchObject({ status, message: expect.stringContaining("no such luck") })
      expect(site.ended()).toBe(1)
    })
  })

  it("wraps a broken connection as APIConnectionError with ours as its cause", async () => {
    await withSite(
      after((response) => response.destroy()),
      async (site) => {
        const error = await failureOf(make(site).ask())
        expect(error).toBeInstanceOf(errors.APIConnectionError)
        expect(error).not.toBeInstanceOf(errors.APIConnectionTimeoutError)
        expect((error as Error).cause).toMatchObject({ name: "WireError", reason: "Connection" })
      }
    )
  })

  it("reports a late answer as a timeout, if it can", async () => {
    await withSite(
      () => {},
      async (site) => {
        const error = await failureOf(make(site).ask())
        expect(error).toBeInstanceOf(seesTimeouts ? errors.APIConnectionTimeoutError : errors.APIConnectionError)
        const { cause } = error as Error
        if (keepsCause) expect(cause).toMatchObject({ name: "WireError", reason: "Timeout" })
        else expect(cause).toBe(undefined)
      },
      { timeouts: { headers: 50, body: Infinity } }
    )
  })

  it("sees the caller's abort as such, and the server sees it too", async () => {
    await withSite(
      () => {},
      async (site) => {
        const controller = new AbortController()
        const failed = failureOf(make(site).ask(controller.signal))
        await eventually("it is sent", () => site.inFlight() === 1)
        controller.abort()
        expect(await failed).toBeInstanceOf(errors.APIUserAbortError)
        await eventually("the server sees the abort", () => site.aborts() === 1)
        expect(site.ended()).toBe(1)
      }
    )
  })

  it("ends a stream that the caller aborts", async () => {
    const handler = after((response) => void sse(response).write(two))
    await withSite(handler, async (site) => {
      const controller = new AbortController()
      const seen: Array<string> = []
      for await (const chunk of await make(site).stream(controller.signal)) {
        seen.push(chunk.choices[0]!.delta.content)
        controller.abort()
      }
      expect(seen[0]).toBe("a")
      await eventually("the server sees the abort", () => site.aborts() === 1)
      await eventually("the exchange ends", () => site.ended() === 1)
    })
  })

  it("leaves a small unread raw response without a hold on the pool", async () => {
    await withSite(
      after((response) => json(response, answer)),
      async (site) => {
        const { ask } = make(site)
        // More than the pool has sockets.
        const responses = await Promise.all(Array.from({ length: 20 }, () => ask().asResponse()))
        expect([site.ended(), site.inFlight()]).toEqual([20, 0])
        for (const response of responses) expect(response).toBeInstanceOf(Response)
      }
    )
  })
})

describe("uploads", () => {
  const clients = [
    ["openai 7", (site: Site) => new OpenAI(options(site))],
    ["openai 6", (site: Site) => new OpenAI6(options(site)) as unknown as OpenAI],
    ["groq", (site: Site) => new Groq(options(site)) as unknown as OpenAI]
  ] as const
  const content = '{"row":1}\n'.repeat(100)

  const sources = [
    ["toFile", () => toFile(Buffer.from(content), "rows.jsonl")],
    ["a File", async () => new File([content], "rows.jsonl")],
    ["a stream from disk", async (name: string) => fs.createReadStream(name)],
    ["a Blob from disk", async (name: string) => new File([await fs.openAsBlob(name)], "rows.jsonl")]
  ] as const

  it.each(clients.flatMap(([sdk, make]) => sources.map(([kind, source]) => [sdk, kind, make, source] as const)))(
    "by %s of %s arrive whole",
    async (_, __, make, source) => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "upload-"))
      const name = path.join(directory, "rows.jsonl")
      fs.writeFileSync(name, content)
      const seen: Array<unknown> = []
      const handler = after(async (response, body, { headers }) => {
        const type = headers["content-type"]!
        const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData()
        const file = form.get("file") as File
        seen.push(form.get("purpose"), file.name, await file.text())
        json(response, { id: "file-1" })
      })
      try {
        await withSite(handler, async (site) => {
          const file = await source(name)
          expect(await make(site).files.create({ file, purpose: "batch" })).toMatchObject({ id: "file-1" })
          expect(seen).toEqual(["batch", "rows.jsonl", content])
          // This spares the SDK a request of its own to find out what our fetch can do.
          expect(site.fetch).toHaveProperty("Response", Response)
          expect(site.ended()).toBe(1)
        })
      } finally {
        fs.rmSync(directory, { recursive: true })
      }
    }
  )

  it("of files too large to hold carry their length", async () => {
    let length: string | undefined
    let received = 0
    const handler: Handler = (request, response) => {
      length = request.headers["content-length"]
      request.on("data", (chunk: Buffer) => {
        received += chunk.length
      })
      request.on("end", () => json(response, { id: "file-1" }))
    }
    await withSite(handler, async (site) => {
      const file = new File([new Uint8Array(3_000_000)], "large.bin")
      await new OpenAI(options(site)).files.create({ file, purpose: "batch" })
      expect(received).toBeGreaterThan(3_000_000)
      expect(length).toBe(String(received))
    })
  })
})

describe("anthropic over our fetch", () => {
  it("reads a JSON answer", async () => {
    await withSite(
      after((response) => json(response, { type: "message", content: [{ type: "text", text: "hello" }] })),
      async ({ fetch, origin }) => {
        const client = new Anthropic({ apiKey: "key", baseURL: origin, fetch, maxRetries: 0 })
        const messages = [{ role: "user" as const, content: "hi" }]
        expect(await client.messages.create({ model: "m", max_tokens: 1, messages })).toMatchObject({
          content: [{ text: "hello" }]
        })
      }
    )
  })
})
