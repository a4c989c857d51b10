/**
 * Bounds on sizes that others determine: agents that wait, and the responses of servers. `Infinity` is no bound.
 */

/** Limits of the queue in front of the sockets of one origin. */
export interface QueueLimits {
  readonly maxQueue: number
  readonly maxQueueBytes: number
}

/** Limits of a response's body, and of the lines and events of a stream. */
export interface BodyLimits {
  readonly maxResponseBytes: number
  readonly maxLineBytes: number
}

/** Limits of a response's head. */
export interface HeadLimits {
  readonly maxHeadBytes: number
  readonly maxHeadFields: number
}

export interface TransportLimits extends QueueLimits, BodyLimits, HeadLimits {}

const MiB = 2 ** 20

/** Most requests that wait for the quota of a credential and a model: `QuotaOptions` has the reason. */
export const defaultMaxWaiters = 100_000

/** `TransportOptions` has the reasons for these. */
export const transportLimits: TransportLimits = {
  maxQueue: 100_000,
  maxQueueBytes: 512 * MiB,
  maxResponseBytes: 128 * MiB,
  maxLineBytes: 32 * MiB,
  maxHeadBytes: 16 * 1024,
  maxHeadFields: 128
}
