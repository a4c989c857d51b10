/**
 * Code without Effect, in a process of its own: `promise.ts MODE BASE_URL COUNT`. It says what it has done, a line each.
 */
import OpenAI, { NotFoundError } from "openai"
import { once } from "node:events"
import { isMainThread, Worker, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import * as Exit from "../../../src/internal/promise/exit.ts"
import * as Sets from "../../../src/internal/promise/set.ts"

const [mode = "", baseURL = "", count = "1"] = isMainThread
  ? process.argv.slice(2)
  : (workerData as ReadonlyArray<string>)

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const config = Effect.runSync(OpenAiClient.config({ apiKey: Redacted.make("sk-child"), baseURL }))

const clientOf = () => {
  const set = Sets.defaultSet()
  return set.object("openai", baseURL, () => ({
    config,
    sdk: {},
    make: () =>
      new OpenAI({ apiKey: "sk-child", baseURL, maxRetries: 0, fetch: set.fetchOf(OpenAiClient.provider, config) })
  }))
}

const ask = (model = "m") => clientOf().chat.completions.create({ model, messages: [{ role: "user", content: "hi" }] })

const read = async (): Promise<void> => {
  const stream = await clientOf().chat.completions.create({
    model: "m",
    messages: [{ role: "user", content: "hi" }],
    stream: true
  })
  for await (const _ of stream);
}

const all = <A>(f: () => Promise<A>): Promise<Array<A>> => Promise.all(Array.from({ length: Number(count) }, f))

/** Agents that go on asking: what they ask once the process is ending must fail none of them. */
const restless = async (): Promise<void> => {
  for (;;) await read()
}

const modes: Record<string, () => Promise<void>> = {
  once: async () => say(`answer ${(await ask()).choices.length}`),
  code: async () => {
    await ask()
    process.exitCode = 3
    say("answer")
  },
  rejected: async () => {
    await clientOf()
      .models.retrieve("no-such-model")
      .catch((error: unknown) => say(error instanceof NotFoundError ? "not found" : String(error)))
  },
  uncaught: async () => {
    await ask()
    say("answer")
    throw new Error("of the script")
  },
  unread: async () => {
    await clientOf().chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }], stream: true })
    say("answer")
  },
  streams: async () => {
    say("begun")
    await all(read)
    say("read")
    // Kept alive by something else.
    setInterval(() => undefined, 1_000)
  },
  restless: async () => {
    say("begun")
    await all(restless)
  },
  bounded: async () => {
    const set = Sets.make({ drainTimeout: 300 })
    Exit.attach(set)
    say("begun")
    await set.fetchOf(OpenAiClient.provider, config)(`${baseURL}/models`)
    say("answer")
  },
  copies: async () => {
    // COUNT is where the other one is.
    const other = (await import(`${count}/internal/promise/set.ts`)) as typeof Sets
    const { config: configure, provider } = (await import(`${count}/OpenAiClient.ts`)) as typeof OpenAiClient
    const otherConfig = Effect.runSync(configure({ apiKey: Redacted.make("sk-child"), baseURL }))
    const fetches = [
      Sets.defaultSet().fetchOf(OpenAiClient.provider, config),
      other.defaultSet().fetchOf(provider, otherConfig)
    ]
    say(`${Sets.defaultSet() === other.defaultSet() ? "one" : "two"}, ${process.listenerCount("SIGTERM")} listening`)
    for (const [i, fetch] of fetches.entries()) {
      void fetch(`${baseURL}/models`, { headers: { "x-sandbox-latency": String(300 * (i + 1)) } }).then((response) =>
        response.text().then(() => say(`answer ${i}`))
      )
    }
    setInterval(() => undefined, 1_000)
  },
  handled: async () => {
    let signals = 0
    process[count === "once" ? "once" : "on"]("SIGTERM", () => {
      say(`signal ${++signals}`)
      void ask().then(() => {
        say("asked afterwards")
        process.exit(7)
      })
    })
    await ask()
    say("begun")
    setInterval(() => undefined, 1_000)
  },
  modest: async () => {
    // What signal-exit 4 does.
    const emitter = { count: 1 }
    Object.assign(globalThis, { [Symbol.for("signal-exit emitter")]: emitter })
    const listener = (): void => {
      if (process.listenerCount("SIGTERM") > emitter.count) return
      process.removeListener("SIGTERM", listener)
      say("cleaned up")
      process.kill(process.pid, "SIGTERM")
    }
    process.on("SIGTERM", listener)
    await ask()
    say("begun")
    setInterval(() => undefined, 1_000)
  },
  closed: async () => {
    await ask()
    const before = process.listenerCount("SIGTERM")
    await Sets.defaultSet().close()
    say(`listeners ${before} ${process.listenerCount("SIGTERM")} ${process.listenerCount("beforeExit")}`)
    await ask()
    say(`listeners ${process.listenerCount("SIGTERM")}`)
  },
  again: async () => {
    await ask()
    let more = 2
    process.on("beforeExit", () => {
      if (more-- > 0) void ask().then(() => say("asked before the exit"))
    })
  },
  workers: async () => {
    const workers = Array.from(
      { length: Number(count) },
      () => new Worker(new URL(import.meta.url), { argv: [], workerData: ["worker", baseURL] })
    )
    const codes = await Promise.all(workers.map(async (worker) => ((await once(worker, "exit")) as [number])[0]))
    say(`workers ${codes.join(" ")}`)
  },
  terminated: async () => {
    const worker = new Worker(new URL(import.meta.url), { argv: [], workerData: ["streaming", baseURL] })
    process.on("SIGUSR2", () => void worker.terminate().then(() => say("terminated")))
  },
  worker: async () => {
    await ask()
  },
  streaming: async () => {
    say("begun")
    await read()
  }
}

await modes[mode]!()
