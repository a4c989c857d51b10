/** Error of a request that was turned away without having been sent. */
export class TurnedAway extends Error {
  override readonly name = "TurnedAway"
  readonly reason: "RateLimited" | "QuotaExceeded" | "Authentication" | "QueueTimeout" | "Capacity"
  /** Milliseconds until it is worth while to come again, where that is known. */
  readonly retryAfter: number | undefined
  constructor(reason: TurnedAway["reason"], message: string, retryAfter?: number) {
    super(message)
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** Error for a request that has waited for its turn as long as it may. */
export const queueTimedOut = (): TurnedAway =>
  new TurnedAway("QueueTimeout", "it waited longer than queueTimeout for its turn; it was not sent")
