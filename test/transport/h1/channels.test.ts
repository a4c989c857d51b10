/** undici's diagnostics channels, over HTTP/1.1. */
import * as diagnostics from "node:diagnostics_channel"
import { expect, test } from "vitest"
import { ask, defer, failure, pool, serveH1, text, until } from "../harness.ts"

interface Message {
  readonly request: { readonly addHeader: (name: string, value: string) => unknown; readonly path: string }
  readonly response?: { readonly statusCode: number }
}

const channels = [
  "undici:client:connected",
  "undici:request:create",
  "undici:client:sendHeaders",
  "undici:request:bodySent",
  "undici:request:headers",
  "undici:request:trailers",
  "undici:request:error"
]

/** The channels' names in the order of their messages. */
const heard = (onCreate?: (message: Message) => void): Array<string> => {
  const all: Array<string> = []
  for (const name of channels) {
    const listen = (message: unknown): void => {
      all.push(name)
      if (name === "undici:request:create") onCreate?.(message as Message)
    }
    diagnostics.subscribe(name, listen)
    defer(() => diagnostics.unsubscribe(name, listen))
  }
  return all
}

test("HTTP/1.1: a request is published to undici's channels, and takes the headers that subscribers add", async () => {
  let traced: unknown
  const server = await serveH1((request, response) => {
    traced = request.headers["traceparent"]
    response.end("ok")
  })
  const all = heard(({ request }) => request.addHeader("traceparent", "00-1-2-01"))
  expect(await text(pool(server.origin), { method: "POST", body: "hello" })).toBe("ok")
  expect({ all, traced }).toEqual({ all: channels.slice(0, 6), traced: "00-1-2-01" })
})

test("HTTP/1.1: a request that is cut is published to undici's channel of errors, once", async () => {
  const server = await serveH1((_, response) => void response.destroy())
  const all = heard()
  expect((await failure(ask(pool(server.origin)))).reason).toBe("Connection")
  await until(() => all.includes("undici:request:error"))
  expect(all).toEqual(channels.filter((name) => !/headers|trailers/.test(name)))
})
