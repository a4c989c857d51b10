/**
 * Code without Effect, in a process of its own: `promise.ts MODE BASE_URL COUNT`, and the server's authority in SANDBOX_CA.
 * It says what it has done, a line each.
 */
import OpenAI, { NotFoundError } from "openai"
import { once } from "node:events"
import { isMainThread, Worker, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as OpenAiClient from "../../../src/OpenAiClient.ts"
import * as Sets from "../../../src/internal/promise/set.ts"

const [mode = "", baseURL = "", count = "1"] = isMainThread
  ? process.argv.slice(2)
  : (workerData as ReadonlyArray<string>)

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const options = { apiKey: Redacted.make("sk-child"), baseURL, transport: { ca: process.env["SANDBOX_CA"] } }
const config = Effect.runSync(OpenAiClient.config(options))

const clientOf = (set = Sets.defaultSet()) => {
  return set.object("openai", baseURL, () => ({
    config,
    sdk: {},
    make: () =>
      new OpenAI({ apiKey: "sk-child", baseURL, maxRetries: 0, fetch: set.fetchOf(OpenAiClient.provider, config) })
  }))
}

const question = { model: "m", messages: [{ role: "user" as const, content: "hi" }] }

const ask = () => clientOf().chat.completions.create(question)

const stream = (set?: Sets.ClientSet, headers: Readonly<Record<string, string>> = {}) =>
  clientOf(set).chat.completions.create({ ...question, stream: true }, { headers })

const read = async (set?: Sets.ClientSet, headers?: Readonly<Record<string, string>>): Promise<void> => {
  for await (const _ of await stream(set, headers));
}

/** Kept alive by something else. */
const stay = (): void => void setInterval(() => undefined, 1_000)

const all = <A>(f: () => Promise<A>): Promise<Array<A>> => Promise.all(Array.from({ length: Number(count) }, () => f()))

const raise = (error: Error): never => {
  throw error
}

/** Unread, and not to be collected. */
const kept: Array<unknown> = []

/** Agents that go on asking: what they ask once the process is ending must fail none of them. */
const restless = async (set: Sets.ClientSet): Promise<void> => {
  for (;;) await read(set)
}

/** A process that waits for this drain timeout is seen to do so. */
const slow = (): Sets.ClientSet => Sets.make({ drainTimeout: 60_000 })

const modes: Record<string, () => Promise<void>> = {
  rejected: async () => {
    await clientOf()
      .models.retrieve("no-such-model")
      .catch((error: unknown) => say(error instanceof NotFoundError ? "not found" : String(error)))
  },
  again: async () => {
    await ask()
    let more = 2
    process.on("beforeExit", () => {
      if (more-- > 0) void ask().then(() => say("asked before the exit"))
    })
  },
  streams: async () => {
    say("begun")
    // As soon as a signal has come, the clients listen no longer.
    process.once("removeListener", () => say("signalled"))
    const set = slow()
    await all(() => read(set))
    say("read")
    stay()
  },
  restless: async () => {
    say("begun")
    const set = slow()
    await all(() => restless(set))
  },
  sets: async () => {
    say("begun")
    await all(() => read(Sets.make()))
    say("read")
    stay()
  },
  bounded: async () => {
    // Another set, which would wait longer if it had to.
    const other = slow()
    kept.push(other)
    await read(other)
    say("begun")
    await read(Sets.make({ drainTimeout: 300 }), { "x-sandbox-latency": "60000" })
    say("read")
  },
  dropped: async () => {
    const { [Symbol.for("clientele/exit@1")]: shared } = process as unknown as Record<symbol, { endings: Set<unknown> }>
    await all(async () => read(Sets.make({ idleTimeToLive: 10 })))
    say(`${shared!.endings.size} known`)
    for (const until = performance.now() + 5_000; shared!.endings.size > 0 && performance.now() < until;) {
      gc!()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    say(`${shared!.endings.size} known, ${process.listenerCount("SIGTERM")} listening`)
  },
  copies: async () => {
    // COUNT is where the other one is.
    const other = (await import(`${count}/internal/promise/set.ts`)) as typeof Sets
    const { config: configure, provider } = (await import(`${count}/OpenAiClient.ts`)) as typeof OpenAiClient
    const otherConfig = Effect.runSync(configure(options))
    const fetches = [
      Sets.defaultSet().fetchOf(OpenAiClient.provider, config),
      other.defaultSet().fetchOf(provider, otherConfig)
    ]
    for (const [i, fetch] of fetches.entries()) {
      void fetch(`${baseURL}/models`, { headers: { "x-sandbox-latency": String(2_000 + 200 * i) } }).then((response) =>
        response.text().then(() => say(`answer ${i}`))
      )
    }
    const counts = ["SIGTERM", "SIGINT", "beforeExit"].map((name) => process.listenerCount(name))
    say(`${Sets.defaultSet() === other.defaultSet() ? "one" : "two"}, ${counts.join(" ")} listening`)
    process.on("SIGUSR2", () => {
      void Sets.defaultSet()
        .close()
        .then(() => say(`closed, ${process.listenerCount("SIGTERM")} listening`))
        .then(() => other.defaultSet().close())
        .then(() => say(`both closed, ${process.listenerCount("SIGTERM")} listening`))
    })
    stay()
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
    stay()
  },
  leaves: async () => {
    process.on("SIGTERM", () => process.exit(5))
    say("begun")
    const set = slow()
    await all(() => read(set))
  },
  late: async () => {
    say("begun")
    // As an app does that is still on its way up.
    process.once("removeListener", () => {
      process.once("SIGTERM", () => {
        say("signal")
        void ask().then(() => {
          say("asked afterwards")
          process.exit(7)
        })
      })
    })
    await read()
    say("read")
    stay()
  },
  modest: async () => {
    // Exits as signal-exit 4 does.
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
    stay()
  },
  closed: async () => {
    await ask()
    const before = process.listenerCount("SIGTERM")
    await Sets.defaultSet().close()
    say(`listeners ${before} ${process.listenerCount("SIGTERM")} ${process.listenerCount("beforeExit")}`)
    await ask()
    say(`listeners ${process.listenerCount("SIGTERM")}`)
  },
  crash: async () => {
    // COUNT is how, once these are written and others on their way.
    await Promise.all([1, 2, 3].map(async (row) => say(JSON.stringify({ row, answer: await ask() }))))
    for (let i = 0; i < 5; i++) void stream(undefined, { "x-sandbox-fault": "stall=headers" })
    await once(process, "SIGUSR2")
    const error = new Error("of the script")
    if (count === "thrown") setImmediate(() => raise(error))
    else void Promise.reject(error)
    stay()
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
    const worker = new Worker(new URL(import.meta.url), { argv: [], workerData: ["streaming", baseURL, count] })
    process.on("SIGUSR2", () => void worker.terminate().then(() => say("terminated")))
  },
  worker: async () => {
    await ask()
    kept.push(await stream(undefined, { "x-sandbox-fault": "stall=body" }))
  },
  streaming: async () => {
    say("begun")
    await all(() => read())
  }
}

await modes[mode]!()
