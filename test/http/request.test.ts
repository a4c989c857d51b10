import { getEventListeners } from "node:events"

import { describe, expect, it } from "vitest"

import { sendRequest, prepare, type SendOptions } from "../../src/internal/http/request.ts"
import { WireError } from "../../src/internal/wire/errors.ts"
import type { WirePool } from "../../src/internal/http/types.ts"
import { eventually, failureOf, json, withSite, type Handler } from "./support.ts"

const timeouts = { headers: Infinity, body: Infinity }

const send = async (
  pool: WirePool,
  url: string,
  init: RequestInit,
  options: Partial<SendOptions> = {}
): Promise<Response> => sendRequest(pool, await prepare(url, init), { timeouts, signal: undefined, ...options })

const listeners = (...signals: ReadonlyArray<AbortSignal>) =>
  signals.map((signal) => getEventListeners(signal, "abort").length)

/** `/hang` never answers, `/stream` never ends, all else echoes the headers. */
const handler: Handler = ({ headers, url }, response) => {
  if (url === "/stream") response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
  else if (url !== "/hang") json(response, headers)
}

const seal = (headers: Readonly<Record<string, string>>) => ({ ...headers, authorization: "Bearer real" })

describe("exchange", () => {
  it("sends the headers as they are sealed at dispatch, and leaves the exchange's own as they were", async () => {
    await withSite(handler, async ({ origin, pool }) => {
      const prepared = await prepare(origin, { headers: { authorization: "Bearer placeholder", a: "1" } })
      const seen = await (await sendRequest(pool, prepared, { timeouts, signal: undefined, seal })).json()
      expect(seen).toMatchObject({ authorization: "Bearer real", a: "1" })
      expect(prepared.headers["authorization"]).toBe("Bearer placeholder")
    })
  })

  it("leaves no listener on either signal, however it ends", async () => {
    await withSite(handler, async ({ inFlight, origin, pool }) => {
      const own = new AbortController()
      const outer = new AbortController()
      const both = [own.signal, outer.signal] as const
      const call = (path: string) => send(pool, `${origin}${path}`, { signal: own.signal }, { signal: outer.signal })

      await (await call("/")).text()
      expect(listeners(...both)).toEqual([0, 0])

      const cancelled = await call("/stream")
      expect(listeners(...both)).toEqual([1, 1])
      await cancelled.body!.cancel()
      expect(listeners(...both)).toEqual([0, 0])

      await failureOf(send(pool, "http://127.0.0.1:1/", { signal: own.signal }, { signal: AbortSignal.abort() }))
      expect(listeners(...both)).toEqual([0, 0])

      const hanging = failureOf(call("/hang"))
      await eventually("it is sent", () => inFlight() === 1)
      outer.abort()
      await hanging
      expect(listeners(...both)).toEqual([0, 0])
    })
  })

  it.each(["own", "outer"] as const)("is aborted by the %s signal while it waits and in its body", async (which) => {
    await withSite(handler, async ({ aborts, inFlight, origin, pool }) => {
      for (const path of ["/hang", "/stream"]) {
        const own = new AbortController()
        const outer = new AbortController()
        const before = aborts()
        let ended = 0
        const answer = send(
          pool,
          `${origin}${path}`,
          { signal: own.signal },
          { signal: outer.signal, onEnd: () => void ended++ }
        ).then((response) => response.text())
        const failed = failureOf(answer)
        await eventually("it is sent", () => inFlight() === 1)
        const reason = new Error("enough")
        await new Promise((resolve) => setTimeout(resolve, 30))
        if (which === "own") own.abort(reason)
        else outer.abort(reason)
        const error = await failed
        // The caller's own signal is the caller's business; the other is ours.
        if (which === "own") expect(error).toBe(reason)
        else expect(error).toMatchObject({ name: "WireError", reason: "Aborted", cause: reason })
        await eventually("the server sees the abort", () => aborts() === before + 1)
        expect([ended, inFlight()]).toEqual([1, 0])
      }
    })
  })

  it("sends nothing when a signal has aborted before", async () => {
    let requests = 0
    await withSite(
      () => void requests++,
      async ({ inFlight, origin, pool }) => {
        const aborted = AbortSignal.abort(new Error("early"))
        let ended = 0
        const onEnd = () => void ended++
        expect(await failureOf(send(pool, origin, { signal: aborted }, { onEnd }))).toMatchObject({ message: "early" })
        expect(await failureOf(send(pool, origin, {}, { signal: aborted, onEnd }))).toBeInstanceOf(WireError)
        expect([ended, inFlight(), requests]).toEqual([2, 0, 0])
      }
    )
  })

  it("calls onEnd only when a streamed body has ended", async () => {
    let finish: (() => void) | undefined
    const slow: Handler = (_, response) => {
      response.writeHead(200).write("a")
      finish = () => void response.end("b")
    }
    await withSite(slow, async ({ origin, pool }) => {
      const order: Array<string> = []
      const response = await send(pool, origin, {}, { onEnd: () => void order.push("end") })
      order.push("response")
      const text = response.text()
      finish?.()
      expect(await text).toBe("ab")
      expect(order).toEqual(["response", "end"])
    })
  })
})
