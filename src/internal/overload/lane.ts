/** The requests of one credential to one model, as the policy sees them: their state, and the waiting ones. */
import { RequestQueue } from "../util/waitQueue.ts"
import * as Policy from "./policy.ts"
import type { HeldRequest } from "./waiting.ts"

/** Permission to send one attempt. Its holder sends it or drops it. */
export class Pass implements Policy.Attempt {
  readonly lane: Lane
  readonly admittedAt: number
  /** True for a probe: it tests whether the provider is back. */
  readonly isProbe: boolean
  /** True if it was waited for, within the bounds of the queue. */
  readonly hasWaited: boolean
  sentAt = Infinity
  isOver = false

  constructor(lane: Lane, admittedAt: number, isProbe: boolean, hasWaited: boolean) {
    this.lane = lane
    this.admittedAt = admittedAt
    this.isProbe = isProbe
    this.hasWaited = hasWaited
  }
}

export class Lane {
  readonly state = Policy.makeLane()
  readonly model: string
  /** Requests held back by a circuit. */
  readonly line = new RequestQueue<HeldRequest<Pass>>()
  /** Retries that wait for the budget, beside the line: first attempts pay for them. */
  readonly unpaid = new RequestQueue<HeldRequest<Pass>>()
  /** True once it was reported that the budget is used up. */
  isBudgetTold = false
  /** Retries a second without answers, as the last request set it. */
  perSecond = Infinity

  constructor(model: string) {
    this.model = model
  }
}

/** From so many lanes on unused ones are dropped: names of models come from users. */
const MAX_UNUSED_LANES = 256

const nobody = {}

/** The lanes of an origin. */
export class Lanes {
  readonly #byTenant = new WeakMap<object, Map<string, Lane>>()
  readonly #all = new Map<Lane, Map<string, Lane>>()
  #many = MAX_UNUSED_LANES

  /** `forgotten` is called for each dropped lane. */
  of(tenant: object = nobody, model: string, now: number, forgotten: (lane: Lane) => void): Lane {
    let models = this.#byTenant.get(tenant)
    if (models === undefined) this.#byTenant.set(tenant, (models = new Map()))
    let lane = models.get(model)
    if (lane === undefined) {
      if (this.#all.size >= this.#many) this.#forget(now, forgotten)
      models.set(model, (lane = new Lane(model)))
      this.#all.set(lane, models)
    }
    return lane
  }

  all(): Iterable<Lane> {
    return this.#all.keys()
  }

  #forget(now: number, forgotten: (lane: Lane) => void): void {
    for (const [lane, models] of this.#all) {
      if (!Policy.isForgettable(lane.state, now)) continue
      models.delete(lane.model)
      this.#all.delete(lane)
      forgotten(lane)
    }
    this.#many = Math.max(MAX_UNUSED_LANES, 2 * this.#all.size)
  }
}
