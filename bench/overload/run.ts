/** Starts the processes of a batch of runs, lets them begin at the same moment, and gathers their logs. */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { certificate } from "../../src/internal/sandbox/certificate.ts"
import { type Nginx, startNginx, type Turned } from "../../test/support/nginx.ts"
import {
  absolute,
  type ProviderLog,
  type ProviderWork,
  type Start,
  type WorkerLog,
  type WorkerWork
} from "./protocol.ts"
import { type Job, oursOf } from "./scenario.ts"

export interface Outcome {
  readonly job: Job
  readonly provider: ProviderLog
  readonly workers: ReadonlyArray<WorkerLog>
}

/** Below the ephemeral ports, so that none is taken by a connection while its server is down. */
const PORTS = { first: 20_000 + (process.pid % 50) * 200, count: 10_000 }
let ports = 0
const nextPort = (): number => PORTS.first + (ports++ % PORTS.count)

const START_IN_MS = 300
/** Milliseconds that a run may take beyond its own end. */
const SLACK_MS = 30_000
/** Fills a backlog of 1, in which the kernel keeps one more. */
const FILLERS = 4

let authority: string | undefined
/** The file of the authority that Node's own TLS is to trust. */
const authorityFile = (): string => {
  if (authority !== undefined) return authority
  authority = join(mkdtempSync(join(tmpdir(), "clientele-overload-")), "ca.pem")
  writeFileSync(authority, certificate.ca)
  return authority
}

/** The last lines on stderr of each child. */
const output = new WeakMap<ChildProcess, string>()
const OUTPUT_LENGTH = 2_000

/** The next message of a child, or its end as an error. */
const message = <A>(child: ChildProcess, what: string, ms: number): Promise<A> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} is silent for ${ms} ms`)), ms)
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      child.off("disconnect", onEnd)
      act()
    }
    // Unlike "exit" it comes after all messages.
    const onEnd = (): void => settle(() => reject(new Error(`${what} ended: ${output.get(child) ?? ""}`)))
    child.once("disconnect", onEnd)
    child.once("message", (value) => settle(() => resolve(value as A)))
  })

type Begin = (file: string, work: object) => ChildProcess

const start =
  (children: Array<ChildProcess>): Begin =>
  (file, work) => {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: authorityFile() }
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(work)], {
      serialization: "advanced",
      // Warnings of the one under test go to stdout, thousands of them in an outage.
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env
    })
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      output.set(child, ((output.get(child) ?? "") + text).slice(-OUTPUT_LENGTH))
    })
    children.push(child)
    return child
  }

/** A listening process of this file, on the first port that is free. */
const listening = async (
  begin: Begin,
  file: string,
  work: Omit<ProviderWork, "port">
): Promise<[ChildProcess, number]> => {
  for (let i = 0; i < 50; i++) {
    const port = nextPort()
    const child = begin(file, { ...work, port })
    const reply = await message<{ readonly failed?: string }>(child, file, SLACK_MS)
    if (reply.failed === undefined) return [child, port]
  }
  throw new Error("no free port among fifty")
}

interface Running {
  readonly job: Job
  readonly provider: ChildProcess
  readonly workers: ReadonlyArray<ChildProcess>
  readonly nginx: Nginx | undefined
  readonly fillers: ReadonlyArray<Socket>
}

const prepare = async (begin: Begin, job: Job): Promise<Running> => {
  const { contender, scenario, seed } = job
  const { front, load, options = {}, processes = 1, protocol = "http/1.1" } = scenario
  const isBlackHole = front?.kind === "blackHole"
  const behind = front?.kind === "nginx" ? "http/1.1" : protocol
  const work = { law: scenario.law, seed, protocol: behind } as const
  const [provider, listens] = await listening(begin, isBlackHole ? "blackHole.ts" : "provider.ts", work)
  const fillers = isBlackHole
    ? Array.from({ length: FILLERS }, () => connect(listens, "127.0.0.1").on("error", () => {}))
    : []
  const port = front?.kind === "nginx" ? nextPort() : listens
  const nginx = front?.kind === "nginx" ? await startNginx(port, listens, front) : undefined
  const baseURL = `${protocol === "h2" ? "https" : "http"}://127.0.0.1:${port}/v1`
  const workers = Array.from({ length: processes }, (_, process) => {
    const input: WorkerWork = { contender, baseURL, load, seed, process, options, ours: oursOf(scenario) }
    return begin("worker.ts", input)
  })
  await Promise.all(workers.map((worker) => message(worker, "a worker", SLACK_MS)))
  return { job, provider, workers, nginx, fillers }
}

const merged = (log: ProviderLog, turned: ReadonlyArray<Turned>, from: number): ProviderLog => ({
  at: [...log.at, ...turned.map(({ at }) => at - from)],
  row: [...log.row, ...turned.map(({ row }) => row)],
  status: [...log.status, ...turned.map(({ status }) => status)],
  connections: log.connections
})

const none: ProviderLog = { at: [], row: [], status: [], connections: 0 }

const watch = async ({ fillers, job, nginx, provider, workers }: Running, begun: Start): Promise<Outcome> => {
  const { front, load } = job.scenario
  const kills = front?.kind === "nginx" ? (front.kills ?? []) : []
  const timers = kills.map((ms) => setTimeout(() => void nginx?.kill(), begun.start + ms - absolute()))
  const ends = workers.map((worker) => message<WorkerLog>(worker, "a worker", load.cut + SLACK_MS))
  for (const child of [provider, ...workers]) child.send(begun)
  const logs = await Promise.all(ends)
  timers.forEach(clearTimeout)
  const turned = (await nginx?.stop()) ?? []
  for (const filler of fillers) filler.destroy()
  if (front?.kind === "blackHole") return { job, provider: none, workers: logs }
  const end = message<ProviderLog>(provider, "the provider", SLACK_MS)
  provider.send({ stop: true })
  return { job, provider: merged(await end, turned, begun.start), workers: logs }
}

/** Runs these jobs at once. */
export const runBatch = async (jobs: ReadonlyArray<Job>): Promise<ReadonlyArray<Outcome>> => {
  const children: Array<ChildProcess> = []
  const running: Array<Running> = []
  try {
    const begin = start(children)
    running.push(...(await Promise.all(jobs.map((job) => prepare(begin, job)))))
    // The imports of the last child have ended, and those of the first do not yet run their agents.
    await sleep(100)
    const begun = { start: absolute() + START_IN_MS }
    return await Promise.all(running.map((one) => watch(one, begun)))
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL")
    await Promise.all(running.map(({ nginx }) => nginx?.stop().catch(() => [])))
  }
}
