/** Cases for each entry point on each runtime. Each throws if it fails. */
import * as assert from "node:assert/strict"
import type { Opened, Subject } from "./subjects.ts"

/** Counts of the provider at `origin`. */
export interface Counted {
  readonly requests: number
  readonly inFlight: number
  readonly peakInFlight: number
  readonly aborts: number
  readonly byConnection: ReadonlyArray<{ readonly requests: number }>
}

export interface World {
  readonly origin: string
  readonly counted: () => Promise<Counted>
  /** Starts the counts anew. */
  readonly reset: () => Promise<void>
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until it holds, for 10 s at most. */
export const until = async (what: string, condition: () => boolean | Promise<boolean>): Promise<void> => {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`it never came to hold that ${what}`)
    await sleep(5)
  }
}

/** All that an error and its causes say. */
const wordsOf = (error: unknown): string => {
  const words: Array<string> = []
  for (let at = error; at instanceof Error; at = at.cause) {
    const { processed, reason } = at as { processed?: unknown; reason?: unknown }
    words.push(
      at.name,
      at.message,
      String(reason ?? ""),
      processed === undefined ? "" : `processed=${String(processed)}`
    )
  }
  return words.join(" | ")
}

/** The words of the error that it rejects with. */
export const rejected = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (error) {
    return wordsOf(error)
  }
  throw new Error("it did not reject")
}

const wordsIn = async (stream: AsyncIterable<string>): Promise<ReadonlyArray<string>> => {
  const words: Array<string> = []
  for await (const word of stream) if (word !== "") words.push(word)
  return words
}

const inFlight = async (opened: Opened): Promise<number> =>
  (await opened.stats()).clients.reduce((sum, client) => sum + client.inFlight, 0)

const slow = { "x-sandbox-time-per-token": "10" }
const stalled = { "x-sandbox-fault": "stall=headers" }

type Case = (subject: Subject, world: World) => Promise<void>

export const cases: Readonly<Record<string, Case>> = {
  chat: async ({ open }, { counted, origin }) => {
    const opened = open(origin)
    assert.match(await opened.chat(), /^\w+( \w+)+$/)
    assert.equal((await counted()).requests, 1)
    await opened.close()
  },

  stream: async ({ open }, { origin }) => {
    const opened = open(origin)
    const whole = await opened.chat()
    const words = await wordsIn(opened.stream({ headers: slow }))
    assert.equal(words.join(""), whole)
    assert.ok(words.length > 3, `${words.length} chunks`)
    await until("the lease has ended with its body", async () => (await inFlight(opened)) === 0)
    await opened.close()
  },

  abort: async ({ open }, { counted, origin }) => {
    const opened = open(origin, { maxConnections: 1 })
    const controller = new AbortController()
    const chat = rejected(opened.chat({ signal: controller.signal, headers: stalled }))
    await until("the request has arrived", async () => (await counted()).inFlight === 1)
    controller.abort()
    await chat
    await until("the provider sees the abort", async () => (await counted()).aborts === 1)
    for await (const word of opened.stream({ headers: { "x-sandbox-fault": "stall=body" } })) if (word !== "") break
    await until("the provider sees the end of a stream that was left", async () => (await counted()).aborts === 2)
    await until("nothing is held", async () => (await inFlight(opened)) === 0)
    assert.match(await opened.chat(), /\w/)
    await opened.close()
  },

  retry: async ({ name, open }, { counted, origin }) => {
    const opened = open(origin, { maxRetries: 2 })
    const models = [`${name}-503`, `${name}-reset`]
    const answers = await Promise.all(models.map((model) => opened.chat({ model })))
    assert.match(answers.join(" "), /\w \w/)
    assert.equal((await counted()).requests, 4)
    assert.match(await rejected(opened.chat({ headers: { "x-sandbox-fault": "status=400" } })), /400|BadRequest/)
    assert.equal((await counted()).requests, 5)
    await opened.close()
  },

  quota: async ({ open }, { counted, origin }) => {
    const opened = open(origin, { maxConcurrency: 2 })
    await Promise.all(Array.from({ length: 6 }, () => opened.chat({ headers: { "x-sandbox-latency": "30" } })))
    const { peakInFlight, requests } = await counted()
    assert.deepEqual({ requests, peakInFlight }, { requests: 6, peakInFlight: 2 })
    await opened.close()
  },

  sockets: async ({ open }, { counted, origin }) => {
    const opened = open(origin, { maxConnections: 3 })
    await Promise.all(Array.from({ length: 12 }, () => opened.chat({ headers: { "x-sandbox-latency": "30" } })))
    const { byConnection, peakInFlight, requests } = await counted()
    assert.deepEqual({ requests, peakInFlight }, { requests: 12, peakInFlight: 3 })
    const used = byConnection.filter(({ requests }) => requests > 0)
    assert.equal(used.length, 3, "connections that carried requests")
    assert.equal((await opened.stats()).sockets, 3)
    await opened.close()
  },

  lease: async ({ open }, { counted, origin }) => {
    const opened = open(origin)
    const words = wordsIn(opened.stream({ headers: slow }))
    await until("a stream is under way", async () => (await counted()).inFlight === 1)
    const closing = opened.close()
    assert.match(await rejected(opened.chat()), /closed|Closed|disposed|interrupt/i)
    assert.ok((await words).length > 3, "a body outlives the close of its set")
    await closing
  },

  close: async ({ open }, { counted, origin }) => {
    const opened = open(origin)
    await opened.chat()
    await opened.close()
    assert.match(await rejected(opened.chat()), /closed|Closed|disposed|interrupt/i)
    assert.equal((await counted()).requests, 1)
  },

  refused: async ({ open }) => {
    const opened = open("http://127.0.0.1:1")
    const words = await rejected(opened.chat())
    assert.match(words, /Connection/)
    assert.match(words, /processed=no/)
    assert.match(words, /ECONNREFUSED|refused/i)
    await opened.close()
  }
}
