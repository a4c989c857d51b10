/**
 * Prints handles that a test framework would find open: `handles.ts BASE_URL`, and the server's authority in
 * SANDBOX_CA. They are those left by loading the package, those that keep the process alive after the last answer, and
 * those left when clients have been closed, and when they have been idle for long enough. They are found as Jest's
 * --detectOpenHandles does: made since, neither destroyed nor unref'd.
 */
import { createHook } from "node:async_hooks"

const [baseURL = ""] = process.argv.slice(2)

/** Kinds that Jest 30 passes over too. */
const ignored =
  /^(PROMISE|TIMERWRAP|ELDHISTOGRAM|PerformanceObserver|RANDOMBYTESREQUEST|DNSCHANNEL|ZLIB|SIGNREQUEST|TLSWRAP|TCPWRAP|PendingRequest)$/

// They are made when somebody asks for them first.
void [process.stdout, process.stderr]
const before = process.getActiveResourcesInfo().length

const handles = new Map<number, { readonly type: string; readonly isActive: () => boolean }>()

createHook({
  init: (id, type, _, resource: { readonly hasRef?: () => boolean }) => {
    if (ignored.test(type)) return
    const ref = new WeakRef(resource)
    const isActive = "hasRef" in resource ? () => ref.deref()?.hasRef?.() === true : () => true
    handles.set(id, { type, isActive })
  },
  destroy: (id) => void handles.delete(id)
}).enable()

const active = (): ReadonlyArray<string> =>
  [...handles.values()].filter(({ isActive }) => isActive()).map(({ type }) => type)

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** Looks until nothing is left, for at most five seconds. */
const left = async (): Promise<ReadonlyArray<string>> => {
  for (const until = performance.now() + 5_000; active().length > 0 && performance.now() < until;) {
    // Many a handle is destroyed when it is collected.
    gc!()
    await turn()
  }
  return active()
}

const { closeAll, makeClients } = await import("../../../src/Promise.ts")
const { getOpenAIClient } = await import("../../../src/promise/openai.ts")

const loaded = await left()

const options = { apiKey: "sk-child", baseURL, transport: { ca: process.env["SANDBOX_CA"] } }
const question = { model: "m", messages: [{ role: "user" as const, content: "hi" }] }
const unread: Array<unknown> = []

const use = async (openai: ReturnType<typeof getOpenAIClient>): Promise<void> => {
  await Promise.all([1, 2, 3].map(() => openai.chat.completions.create(question)))
  for await (const _ of await openai.chat.completions.create({ ...question, stream: true }));
}

const openai = getOpenAIClient(options)
await use(openai)
unread.push(await openai.chat.completions.create({ ...question, stream: true }))
// A handle that ends with a turn of the event loop keeps nothing alive.
const answered = process
  .getActiveResourcesInfo()
  .slice(before)
  .filter((kind) => kind !== "Immediate")
await closeAll()
const closed = await left()
await use(getOpenAIClient(options, makeClients({ idleTimeToLive: 50 })))
const idle = await left()

process.stdout.write(JSON.stringify({ loaded, answered, closed, idle }))
