/** `clientele sandbox`: a sandbox in a process of its own. */
import { writeFileSync } from "node:fs"
import { parseFault } from "../internal/sandbox/faults.ts"
import { type FaultRule, type Options, type Sandbox, start } from "../testing/Sandbox.ts"
import { UsageError } from "./exit.ts"
import { number, oneOf, parse, text, texts, type Values } from "./usage.ts"

const HELP = `usage: clientele sandbox [options]

A provider server on this machine: the chat, embedding, model and file APIs of OpenAI, Azure OpenAI, Groq and Cerebras,
and Anthropic's messages. Answers are determined by the prompt.

  --port N               port, 0 for any free one (default 0)
  --host ADDRESS         address to listen at (default 127.0.0.1)
  --protocol P           http/1.1, h2 or both (default both); with --tls by ALPN, else h2 by prior knowledge
  --tls                  TLS with a fixed certificate for localhost, 127.0.0.1 and ::1
  --write-ca FILE        write the certificate authority there (PEM), for NODE_EXTRA_CA_CERTS
  --client-cert          refuse TLS clients without a certificate of that authority
  --write-client-cert FILE
                         write such a certificate and its key there (PEM), for instance for curl --cert FILE
  --max-streams N        streams that an HTTP/2 connection may have open (default 100)
  --latency MS           time to the first byte (default 0)
  --time-per-token MS    time before each token (default 0)
  --tokens N             length of text answers (default 16)
  --api-key KEY          an accepted key, repeatable; others get 401 (default: all are accepted)
  --model NAME           an existing model, repeatable; others get 404 (default: all exist)
  --rpm N                requests a minute for each key and model
  --tpm N                tokens a minute for each key and model
  --max-concurrency N    requests at the same time for each key and model
  --concurrency-retry-after MS
                         Retry-After of a 429 for --max-concurrency (default: none)
  --burst F              part of a minute's limit that may come at once (default 1)
  --charge C             tokens that a request costs: used, reserved (prompt and max_tokens, the unused ones given back at
                         the end) or asked (never given back) (default used)
  --fault F[@N]          a fault, repeatable: status=503, status=429,insufficient_quota, resetBeforeHeaders=7,
                         resetMidBody=100, stall=headers, stall=body,500, garbage=json, slowDrip=10,50, truncate=10,
                         goAway; @3 for every third request
  --control-port N       port of the statistics (default 0, any free one): GET /__sandbox/stats, POST /__sandbox/reset;
                         POST /__sandbox/limit and /__sandbox/api-keys change these options
  --log-size N           ended requests listed in the statistics (default 1000)
  --json                 print one line of JSON for programs
  --stdin-close          end when standard input closes
  --help                 this text

A request's own headers override: x-sandbox-latency, x-sandbox-time-per-token, x-sandbox-fault, x-sandbox-provider.
`

const FLAGS = {
  port: { type: "string" },
  host: { type: "string" },
  protocol: { type: "string" },
  tls: { type: "boolean" },
  "write-ca": { type: "string" },
  "client-cert": { type: "boolean" },
  "write-client-cert": { type: "string" },
  "max-streams": { type: "string" },
  latency: { type: "string" },
  "time-per-token": { type: "string" },
  tokens: { type: "string" },
  "api-key": { type: "string", multiple: true },
  model: { type: "string", multiple: true },
  rpm: { type: "string" },
  tpm: { type: "string" },
  "max-concurrency": { type: "string" },
  "concurrency-retry-after": { type: "string" },
  burst: { type: "string" },
  charge: { type: "string" },
  fault: { type: "string", multiple: true },
  "control-port": { type: "string" },
  "log-size": { type: "string" },
  json: { type: "boolean" },
  "stdin-close": { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

const PORT = { min: 0, max: 65_535, whole: true }
const MILLIS = { min: 0, unit: "milliseconds" }

const rule = (given: string): FaultRule => {
  const [name = "", every] = given.split("@", 2)
  const fault = parseFault(name)
  const nth = every === undefined ? 1 : Number(every)
  if (fault !== undefined && Number.isInteger(nth) && nth > 0) return { match: { every: nth }, fault }
  throw new UsageError(`--fault is ${JSON.stringify(given)}; expected for instance status=503 or resetMidBody=100@3`)
}

const optionsOf = (values: Values): Options => {
  const limit = {
    requestsPerMinute: number(values, "rpm", { min: 1 }),
    tokensPerMinute: number(values, "tpm", { min: 1 }),
    maxConcurrency: number(values, "max-concurrency", { min: 1, whole: true }),
    concurrencyRetryAfter: number(values, "concurrency-retry-after", MILLIS),
    burst: number(values, "burst", { min: 0.000_001, max: 1 }),
    charge: oneOf(values, "charge", ["used", "reserved", "asked"])
  }
  const options: Options = {
    port: number(values, "port", PORT),
    host: text(values, "host"),
    protocol: oneOf(values, "protocol", ["http/1.1", "h2", "both"]),
    tls: values["tls"] === true,
    requestClientCert: values["client-cert"] === true,
    maxStreams: number(values, "max-streams", { min: 1, max: 2 ** 31 - 1, whole: true }),
    latency: number(values, "latency", MILLIS),
    timePerToken: number(values, "time-per-token", MILLIS),
    tokens: number(values, "tokens", { min: 1, max: 1_000_000, whole: true }),
    apiKeys: texts(values, "api-key"),
    models: texts(values, "model"),
    rateLimit: Object.values(limit).every((value) => value === undefined) ? undefined : limit,
    faults: texts(values, "fault")?.map(rule),
    logSize: number(values, "log-size", { min: 0, max: 1_000_000, whole: true }),
    controlPort: number(values, "control-port", PORT) ?? 0
  }
  for (const flag of ["write-ca", "client-cert", "write-client-cert"]) {
    if (values[flag] !== undefined && options.tls !== true) throw new UsageError(`--${flag} needs --tls`)
  }
  return options
}

const PROVIDERS = ["openai", "azure", "groq", "cerebras", "anthropic"] as const

const forPrograms = (sandbox: Sandbox): string =>
  JSON.stringify({
    origin: sandbox.origin,
    port: sandbox.port,
    controlOrigin: sandbox.controlOrigin,
    baseURL: Object.fromEntries(PROVIDERS.map((provider) => [provider, sandbox.baseURL(provider)])),
    ca: sandbox.ca,
    pid: process.pid
  })

const forPeople = (sandbox: Sandbox, tls: boolean, caFile: string | undefined): string => {
  const trust = !tls
    ? ""
    : caFile === undefined
      ? "; trust it with --write-ca FILE and NODE_EXTRA_CA_CERTS=FILE"
      : `; trust it with NODE_EXTRA_CA_CERTS=${caFile}`
  return `sandbox at ${sandbox.origin}: baseURL ${sandbox.baseURL("openai")} for OpenAI, ${sandbox.origin} for Groq, Cerebras, Anthropic and as Azure's endpoint; counts at ${sandbox.controlOrigin}/__sandbox/stats${trust}`
}

/** Runs until a signal, or until standard input closes if that was asked for. */
export const run = async (args: ReadonlyArray<string>): Promise<number> => {
  const values = parse(args, FLAGS, "sandbox")
  if (values["help"] === true) {
    process.stdout.write(HELP)
    return 0
  }
  const options = optionsOf(values)
  const caFile = text(values, "write-ca")
  const clientFile = text(values, "write-client-cert")
  const sandbox = await start(options)
  // Listened for before the line is printed, since its reader may end us at once.
  const ended = end(values["stdin-close"] === true)
  try {
    if (caFile !== undefined) writeFileSync(caFile, sandbox.ca)
    if (clientFile !== undefined) {
      const { cert, key } = sandbox.clientCertificate
      writeFileSync(clientFile, cert + key)
    }
    const line = values["json"] === true ? forPrograms(sandbox) : forPeople(sandbox, options.tls === true, caFile)
    process.stdout.write(`${line}\n`)
    await ended
  } finally {
    await sandbox.close()
    // A pipe that is read would keep the process, if it was a signal that ended us.
    process.stdin.destroy()
  }
  return 0
}

const end = (stdinClose: boolean): Promise<void> =>
  new Promise((resolve) => {
    process.once("SIGINT", () => resolve())
    process.once("SIGTERM", () => resolve())
    // A reader that went away (`clientele sandbox | head -1`) is no reason to die.
    process.stdout.on("error", () => {})
    if (stdinClose) {
      // Node never closes a standard input that is a file, so its end counts as well.
      process.stdin.on("end", () => resolve())
      process.stdin.on("close", () => resolve())
      process.stdin.on("error", () => resolve())
      process.stdin.resume()
    }
  })
