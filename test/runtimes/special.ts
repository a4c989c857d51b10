/** Cases of a runtime, whatever the entry point: bodies, codings, limits, TLS, and options that it can't keep. */
import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { makeClients } from "clientele/Promise"
import { getOpenAIClient } from "clientele/promise/openai"
import * as Sandbox from "clientele/testing/Sandbox"
import { rejected, until, type World } from "./cases.ts"
import { openFetch } from "./subjects.ts"

export interface Places {
  readonly world: World
  /** The same provider behind TLS, with HTTP/2. */
  readonly secure: string
  /** File of the authority to trust. */
  readonly ca: string
  /** A server that echoes bodies and compresses answers. */
  readonly plain: string
}

const isBun = "Bun" in globalThis

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const streamOf = (...texts: ReadonlyArray<string>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const text of texts) controller.enqueue(bytes(text))
      controller.close()
    }
  })

const tryAge = async (origin: string): Promise<void> => openFetch(origin, { maxConnectionAge: 1_000 }).clients.close()

const trySet = async (options: Parameters<typeof makeClients>[0]): Promise<void> => makeClients(options).close()

const stalled = { method: "POST", body: "{}", headers: { "x-sandbox-fault": "stall=headers" } }

export const special = ({ ca, plain, secure, world }: Places): Readonly<Record<string, () => Promise<void>>> => ({
  "bodies of all kinds arrive": async () => {
    const { clients, fetch } = openFetch(plain)
    const echo = async (body: unknown) => {
      const init = { method: "POST", body, duplex: "half" } as RequestInit
      return (await (await fetch(`${plain}/v1/echo`, init)).json()) as { text: string; type: string; length: string }
    }
    assert.equal((await echo("text")).text, "text")
    assert.equal((await echo(bytes("bytes"))).text, "bytes")
    assert.equal((await echo(streamOf("a ", "stream"))).text, "a stream")
    assert.equal((await echo(new Blob(["blob"]))).text, "blob")
    const form = new FormData()
    form.set("purpose", "fine-tune")
    form.set("file", new File(["rows"], "rows.jsonl"))
    const sent = await echo(form)
    assert.match(sent.type, /^multipart\/form-data; boundary=/)
    assert.match(sent.text, /name="purpose"[^]*fine-tune[^]*filename="rows.jsonl"[^]*rows/)
    const failing = new ReadableStream({ pull: (controller) => controller.error(new Error("the source is gone")) })
    assert.match(await rejected(echo(failing)), /the source is gone/)
    await clients.close()
  },

  "an upload by the SDK arrives": async () => {
    const clients = makeClients()
    const openai = getOpenAIClient({ apiKey: "sk-contract", baseURL: `${world.origin}/v1` }, clients)
    const file = await openai.files.create({ purpose: "batch", file: new File(["0123456789"], "ten.jsonl") })
    assert.equal(file.bytes, 10)
    await clients.close()
  },

  "compressed answers are decoded, also while they stream": async () => {
    const { clients, fetch } = openFetch(plain)
    for (const coding of ["gzip", "br", "deflate"]) {
      const answer = await fetch(`${plain}/v1/coded?${coding}`)
      assert.deepEqual(await answer.json(), { coding })
      assert.equal(answer.headers.get("content-encoding"), null)
    }
    const reader = (await fetch(`${plain}/v1/slowly`)).body!.getReader()
    const first = await reader.read()
    assert.equal(new TextDecoder().decode(first.value), "data: first\n\n")
    await fetch(`${plain}/v1/go-on`)
    assert.equal(new TextDecoder().decode((await reader.read()).value), "data: second\n\n")
    assert.equal((await reader.read()).done, true)
    await clients.close()
  },

  "an answer that is cut or no HTTP fails with its reason": async () => {
    const { clients, fetch } = openFetch(plain)
    const cut = rejected(fetch(`${plain}/v1/cut`).then((answer) => answer.text()))
    assert.match(await cut, /Connection.*processed=yes/)
    assert.match(
      await rejected(fetch(`${plain}/v1/reset?key=secret`, { method: "POST" })),
      /Connection.*processed=maybe/
    )
    const garbled = await rejected(fetch(`${plain}/v1/garbled?key=secret`))
    assert.match(garbled, /Malformed.*processed=maybe/)
    assert.doesNotMatch(garbled, /secret/)
    await clients.close()
  },

  "headers that can't be sent are refused, and redirects are followed": async () => {
    const { clients, fetch } = openFetch(plain)
    assert.match(await rejected(fetch(`${plain}/v1/echo`, { headers: [["x", "a\nb"]] })), /header "x"/)
    const answer = await fetch(`${plain}/v1/moved`)
    assert.deepEqual([answer.redirected, new URL(answer.url).pathname], [true, "/v1/echo"])
    await clients.close()
  },

  "whoever waits for a socket has queueTimeout, and goes when one is free": async () => {
    const { clients, fetch } = openFetch(world.origin, { maxConnections: 1, queueTimeout: 100 })
    const controller = new AbortController()
    const url = `${world.origin}/v1/chat/completions`
    const first = rejected(fetch(url, { ...stalled, signal: controller.signal }))
    await until("the first has arrived", async () => (await world.counted()).inFlight === 1)
    assert.match(await rejected(fetch(url, stalled)), /Timeout.*processed=no/)
    controller.abort(new Error("of the caller"))
    assert.match(await first, /of the caller/)
    assert.equal((await fetch(`${world.origin}/v1/models`)).status, 200)
    await clients.close()
  },

  "no more requests are sent at once than the process may": async () => {
    const { clients, fetch } = openFetch(world.origin, { maxConnections: 1_000 })
    const headers = { "x-sandbox-latency": "100" }
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }] })
    const one = () => fetch(`${world.origin}/v1/chat/completions`, { method: "POST", body, headers })
    await Promise.all(Array.from({ length: 600 }, async () => void (await (await one()).text())))
    const { peakInFlight, requests } = await world.counted()
    assert.equal(requests, 600)
    assert.ok(peakInFlight <= (isBun ? 256 : 512), `${peakInFlight} at once`)
    await clients.close()
  },

  "the Sandbox runs here too": async () => {
    const sandbox = await Sandbox.start({ protocol: "http/1.1" })
    const { clients, fetch } = openFetch(sandbox.origin)
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }], stream: true })
    const answer = await fetch(`${sandbox.origin}/v1/chat/completions`, { method: "POST", body })
    assert.match(await answer.text(), /data: \[DONE\]/)
    assert.equal(sandbox.stats().requests, 1)
    await clients.close()
    await sandbox.close()
  },

  "TLS trusts what it is told to": async () => {
    const authority = readFileSync(ca, "utf8")
    const { clients, fetch } = openFetch(secure, { ca: authority })
    assert.equal((await fetch(`${secure}/v1/models`)).status, 200)
    const untrusting = openFetch(secure)
    assert.match(await rejected(untrusting.fetch(`${secure}/v1/models`)), /certificate.*processed=no/i)
    await Promise.all([clients.close(), untrusting.clients.close()])
  },

  "options that the runtime can't keep are refused by name": async () => {
    if (!isBun) return void (await Promise.all([tryAge(world.origin), trySet({ allowAddress: () => true })]))
    assert.match(
      await rejected(tryAge(world.origin)),
      /option transport\.maxConnectionAge is 1000 on Bun [\d.]+, .*; expected the default or Infinity/
    )
    assert.match(await rejected(trySet({ allowAddress: () => true })), /option allowAddress is given on Bun [\d.]+/)
    assert.match(
      await rejected(trySet({ maxSockets: 257 })),
      /option maxSockets is 257 on Bun [\d.]+, .* at most 256.*BUN_CONFIG_MAX_HTTP_REQUESTS/
    )
  }
})
