/** A real nginx in front of the provider: its workers are killed, and it turns away what is too much. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { makeClients } from "../../src/Promise.ts"
import { getOpenAIClient } from "../../src/promise/openai.ts"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { startNginx, type NginxOptions } from "../support/nginx.ts"
import { freePort } from "../support/redis.ts"

const answer = JSON.stringify({ choices: [{ message: { role: "assistant", content: "hi" } }] })

/** Answers after so many ms. */
const upstream = async (latency: number) => {
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end(answer), latency)
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const behind = async <A>(
  options: NginxOptions & { readonly latency: number },
  use: (ask: () => Promise<boolean>, kill: () => Promise<void>) => Promise<A>
): Promise<A> => {
  const provider = await upstream(options.latency)
  const port = await freePort()
  const nginx = await startNginx(port, provider.port, options)
  await using clients = makeClients()
  const scheme = options.protocol === "h2" ? "https" : "http"
  const client = getOpenAIClient(
    { apiKey: "sk", baseURL: `${scheme}://127.0.0.1:${port}/v1`, transport: { ca: certificate.ca } },
    clients
  )
  const ask = () =>
    client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hello" }] }).then(
      () => true,
      () => false
    )
  try {
    return await use(ask, nginx.kill)
  } finally {
    await nginx.stop()
    provider.close()
  }
}

describe("behind nginx", () => {
  for (const [name, protocol] of [
    ["HTTP/1.1", "http/1.1"],
    ["HTTP/2", "h2"]
  ] as const) {
    it(`all of 500 requests over ${name} are answered though their workers are killed`, () =>
      behind({ protocol, latency: 300 }, async (ask, kill) => {
        await ask()
        const all = Promise.all(Array.from({ length: 500 }, ask))
        await new Promise((resolve) => setTimeout(resolve, 200))
        await kill()
        assert.deepStrictEqual(
          (await all).filter((isAnswered) => !isAnswered),
          []
        )
      }))
  }

  it("a limit of requests a second, by 503 without Retry-After, loses no row of a job", () =>
    behind({ protocol: "http/1.1", latency: 200, limit: { rate: 100, burst: 20 } }, async (ask) => {
      let left = 500
      let lost = 0
      const agent = async (): Promise<void> => {
        while (left-- > 0) if (!(await ask())) lost++
      }
      await Promise.all(Array.from({ length: 25 }, agent))
      assert.isAtMost(lost, 10)
    }))
})
