/** Demand of one request on a quota. The model is read at once, the cost when it is first needed. */
import type { PreparedRequest } from "../http/request.ts"
import type { About } from "../wire/request.ts"
import * as Ask from "./tokenEstimate.ts"

let arrivals = 0

/** The place of whoever arrives now among all requests of the process. */
export const nextOrder = (): number => ++arrivals

export class Demand implements About {
  /** Its place among all requests of the process: first come first served, also for retries. */
  readonly order: number
  /** As the provider counts: the name of the model, for Azure of the deployment, empty for what has none. */
  readonly model: string
  /** Milliseconds that it waits at most for a gate to open. */
  readonly patience: number
  #cost: Ask.TokenCost | undefined
  readonly #request: Pick<PreparedRequest, "path" | "body">

  constructor(request: Pick<PreparedRequest, "path" | "body">, patience = Infinity, order = nextOrder()) {
    this.#request = request
    this.order = order
    this.patience = patience
    this.model = Ask.modelOf(request.path, request.body)
  }

  asksForEvents(): boolean | undefined {
    return Ask.asksForEvents(this.#request.path, this.#request.body)
  }

  /** Estimated cost in tokens; `meanOutput` stands in for the output of a request that sets no bound. */
  tokens(meanOutput: number): number {
    return Ask.totalOf(this.cost(), meanOutput)
  }

  cost(): Ask.TokenCost {
    return (this.#cost ??= Ask.costOf(this.#request.path, this.#request.body))
  }
}
