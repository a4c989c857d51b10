/** An app that closes nothing: `ends.ts ORIGIN unread|term`. It ends by itself, or drains when it gets SIGTERM. */
import process from "node:process"
import { getFetch } from "clientele/Promise"

const [, , origin = "", how] = process.argv

const ask = (headers: Readonly<Record<string, string>>, stream: boolean): Promise<Response> =>
  getFetch({ apiKey: "sk-ends", baseURL: `${origin}/v1` })(`${origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer sk-ends", ...headers },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }], stream })
  })

/** A body that has begun and is kept holds a process of Bun, as its own fetch does. */
const fault: Readonly<Record<string, string>> = "Bun" in globalThis ? {} : { "x-sandbox-fault": "stall=body" }

const keep: Array<Response> = []
if (how === "unread") {
  keep.push(await ask(fault, true))
  console.log("unread")
} else {
  void ask({ "x-sandbox-latency": "500" }, false).then(({ status }) => console.log(status))
  const stats = async () => (await (await fetch(`${origin}/__sandbox/stats`)).json()) as { inFlight: number }
  while ((await stats()).inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5))
  console.log("sent")
  process.kill(process.pid, "SIGTERM")
}
