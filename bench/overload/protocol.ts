/** The messages between the bench and its providers and workers, all JSON over IPC. */
import type { Law } from "./law.ts"

/** C: clientele; O: one bare OpenAI client; P: that behind p-limit(64). */
export type Contender = "C" | "O" | "P"

export interface ProviderWork {
  readonly law: Law
  readonly seed: number
  readonly protocol: "http/1.1" | "h2"
  readonly port: number
}

/** Statuses in the log that are none of HTTP. */
export const RESET = 0
export const HANG = -1

/** Parallel columns, one entry for each request that reached the provider. */
export interface ProviderLog {
  /** Milliseconds since the start. */
  readonly at: ReadonlyArray<number>
  readonly row: ReadonlyArray<number>
  /** The HTTP status that was drawn for it, `RESET` or `HANG`. */
  readonly status: ReadonlyArray<number>
  readonly connections: number
}

/** Agents that share a key, a model and a list of rows. */
export interface Group {
  readonly name: string
  readonly agents: number
  /** Rows in the list. @default no end: agents ask until `ms` */
  readonly rows?: number | undefined
  /** @default "m" */
  readonly model?: string | undefined
  /** Number of keys, which rows take in turn. @default 1 */
  readonly keys?: number | undefined
  /** Number of models, which rows take in turn. @default one: `model` */
  readonly models?: number | undefined
}

export interface Load {
  readonly groups: ReadonlyArray<Group>
  /** Time after which no row starts. @default no bound: rows are counted */
  readonly ms?: number | undefined
  /** Agents begin within these first milliseconds. */
  readonly stagger: number
  readonly stream?: boolean | undefined
  /** When the run is cut, in milliseconds; rows that have not ended then count as failed. */
  readonly cut: number
}

/** Options of the SDK, taken by all contenders, and those that only clientele has. */
export interface ClientOptions {
  readonly timeout?: number | undefined
  readonly maxRetries?: number | undefined
}

export interface OurOptions {
  readonly queueTimeout?: number | undefined
  /** Sockets to the origin. */
  readonly maxConnections?: number | undefined
}

export interface WorkerWork {
  readonly contender: Contender
  readonly baseURL: string
  readonly load: Load
  readonly seed: number
  /** Index among the processes of a run: keeps rows apart. */
  readonly process: number
  readonly options: ClientOptions
  readonly ours: OurOptions
}

/** Parallel columns, one entry for each row; times in milliseconds since the start. */
export interface WorkerLog {
  readonly row: Array<number>
  /** Index of the group. */
  readonly group: Array<number>
  readonly from: Array<number>
  readonly to: Array<number>
  /** Empty if answered, else the error's kind. */
  readonly error: Array<string>
  /** Times of connection attempts over TCP in clear text. */
  readonly dials: Array<number>
  /** 99 % of the turns of its event loop were late by less, in milliseconds. */
  lag: number
}

export interface Start {
  /** By the clock of `absolute`. */
  readonly start: number
}

/** Milliseconds since the epoch, monotonic within a process. */
export const absolute = (): number => performance.timeOrigin + performance.now()
