/** Answers that a test writes by hand, before the sandbox's own are asked for. */
import { collect } from "../sandbox/body.ts"
import { keyOf, route } from "../sandbox/route.ts"
import type { Answer, Request } from "../../testing/ClientMapTest.ts"
import type { MemoryExchange } from "./memoryExchange.ts"
import { jsonOrText, property } from "../util/json.ts"

const requestOf = (exchange: MemoryExchange, text: string, index: number): Request => {
  const path = exchange.url.split("?", 1)[0]!
  const body = jsonOrText(text)
  const model = property(body, "model")
  return {
    index,
    provider: route(exchange, path).provider,
    method: exchange.method,
    path,
    apiKey: keyOf(exchange),
    model: typeof model === "string" ? model : undefined,
    isStream: property(body, "stream") === true,
    body
  }
}

const say = (exchange: MemoryExchange, answer: Answer): void => {
  if (!exchange.isOpen()) return
  if ("fails" in answer) return exchange.reset()
  if ("events" in answer) {
    exchange.head(200, { "content-type": "text/event-stream" })
    for (const event of answer.events) {
      exchange.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)
    }
    return exchange.end()
  }
  const { body, headers, status = 200 } = answer
  exchange.head(status, { "content-type": "application/json", ...headers })
  exchange.end(typeof body === "string" ? body : JSON.stringify(body))
}

/** `handle` gets what the script has no answer for. */
export const scripted = (
  script: (request: Request) => Answer | undefined | PromiseLike<Answer | undefined>,
  handle: (exchange: MemoryExchange) => void,
  seen: Array<Request>
): ((exchange: MemoryExchange) => void) => {
  const answer = async (exchange: MemoryExchange, text: string): Promise<void> => {
    const request = requestOf(exchange, text, seen.length)
    seen.push(request)
    let said: Answer | undefined
    try {
      said = await script(request)
    } catch (error) {
      const message = `the script threw: ${error instanceof Error ? error.message : String(error)}`
      said = { status: 400, body: { error: { message, code: "script_threw" } } }
    }
    if (said === undefined) handle(exchange)
    else say(exchange, said)
  }
  return (exchange) => {
    collect(exchange, (text = "") => {
      exchange.replay(text)
      void answer(exchange, text)
    })
  }
}
