/**
 * How far each thing may grow that somebody else's numbers make grow: agents that wait, what a server answers. `Infinity`
 * is no bound.
 */

/** How long a line may get in front of the sockets of one origin. */
export interface QueueLimits {
  readonly maxQueue: number
  readonly maxQueueBytes: number
}

/** How long a response's body may get, and what it is made of. */
export interface BodyLimits {
  readonly maxResponseBytes: number
  readonly maxLineBytes: number
}

/** How long a response's head may get. */
export interface HeadLimits {
  readonly maxHeadBytes: number
  readonly maxHeadFields: number
}

export interface TransportLimits extends QueueLimits, BodyLimits, HeadLimits {}

const MiB = 2 ** 20

/** Most requests that wait in one line for the quota of a credential and a model: `QuotaOptions` says why. */
export const defaultMaxWaiters = 100_000

/** `TransportOptions` says why these. */
export const transportLimits: TransportLimits = {
  maxQueue: 100_000,
  maxQueueBytes: 512 * MiB,
  maxResponseBytes: 128 * MiB,
  maxLineBytes: 32 * MiB,
  maxHeadBytes: 16 * 1024,
  maxHeadFields: 128
}
