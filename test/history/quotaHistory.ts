/** Events of a credential's quota, in the words of its users. */
import { type History, operations, type Operation, type Violation } from "./history.ts"

type Named<F extends string, Rest> = F extends string ? { readonly f: F } & Rest : never

/** `concurrency` is the most that may be in flight, and `least` what may be in any case: they differ where it adapts. */
export interface QuotaLimits {
  readonly requests: number
  readonly tokens: number
  readonly burst: number
  readonly concurrency: number
  readonly least: number
  /** Most requests that may wait. */
  readonly waiters: number
}

/** Times are milliseconds. */
interface Enter {
  readonly f: "enter"
  readonly model: string
  /** Its place among all. */
  readonly order: number
  /** It comes back, and has its place. */
  readonly again: boolean
  /** Its estimated cost, where tokens count. */
  readonly tokens: number
  readonly movable: boolean
  readonly maxRetryAfter: number
  readonly timeout: number
}

/** A permit is known by the `enter` that got it. */
export type QuotaCall =
  | Enter
  | Named<"abort", { readonly of: number }>
  /** `closes` is for how long the answer closes the gate of its model. */
  | { readonly f: "answer"; readonly permit: number; readonly status: number; readonly closes: number }
  | { readonly f: "settle"; readonly permit: number; readonly tokens: number }
  /** It was never sent; its body is over; its answer refuses the whole credential. */
  | Named<"refund" | "leave" | "refuse", { readonly permit: number }>
  | { readonly f: "join"; readonly holder: number; readonly limits: QuotaLimits }
  | { readonly f: "part"; readonly holder: number }
  /** Operations of a shared budget. */
  | { readonly f: "reserve"; readonly model: string; readonly costs: ReadonlyArray<number> }
  | { readonly f: "correct"; readonly model: string; readonly requests: number; readonly tokens: number }
  /** All has gone that can go without time passing. */
  | { readonly f: "quiet" }
  /** The quota's report of itself; models that it does not name are idle. */
  | { readonly f: "look"; readonly models: ReadonlyArray<Look> }

interface Look {
  readonly model: string
  readonly inFlight: number
  readonly queued: number
  readonly tokensLeft: number
}

export interface QuotaDetail {
  /** The costs of a permit. Without one, the request was redirected to another quota. */
  readonly permit?: { readonly tokens: number; readonly shared: boolean; readonly at: number }
  readonly reason?: string
  /** For how many a shared budget was taken. */
  readonly taken?: number
}

export type QuotaHistory = History<QuotaCall, QuotaDetail>

type Of<F extends QuotaCall["f"]> = Operation<QuotaCall, QuotaDetail> & {
  readonly call: Extract<QuotaCall, { readonly f: F }>
}

export interface Permit {
  readonly op: number
  readonly model: string
  readonly tokens: number
  readonly shared: boolean
  readonly at: number
  /** Places in the history. */
  readonly got: number
  readonly left: number
  /** The first operation that ended its budget, if any. */
  readonly ended: Of<"settle"> | Of<"refund"> | undefined
}

/** A history, sorted by what it is about. */
export interface Quotas {
  readonly broken: ReadonlyArray<Violation>
  readonly all: ReadonlyArray<Operation<QuotaCall, QuotaDetail>>
  readonly of: <F extends QuotaCall["f"]>(f: F) => ReadonlyArray<Of<F>>
  readonly permits: ReadonlyArray<Permit>
  readonly models: ReadonlyArray<string>
  readonly isShared: boolean
}

export const sorted = (history: QuotaHistory): Quotas => {
  const { all, broken } = operations(history)
  const of = <F extends QuotaCall["f"]>(f: F) => all.filter((one): one is Of<F> => one.call.f === f)
  const enters = of("enter")
  const permits = enters.flatMap(({ call, detail, op, to }): ReadonlyArray<Permit> => {
    if (detail?.permit === undefined) return []
    const ends = [...of("settle"), ...of("refund")].filter((one) => one.call.permit === op)
    return [
      {
        op,
        model: call.model,
        ...detail.permit,
        got: to,
        left: of("leave").find((one) => one.call.permit === op)?.from ?? Infinity,
        ended: ends.sort((a, b) => a.from - b.from)[0]
      }
    ]
  })
  return {
    broken,
    all,
    of,
    permits,
    models: [...new Set(enters.map(({ call }) => call.model))],
    isShared: of("reserve").length > 0
  }
}

/** Permits of a model that are held then. */
export const inFlight = ({ permits }: Quotas, model: string, at: number): number =>
  permits.filter((one) => one.model === model && one.got < at && at < one.left).length

/** Requests that wait then, in their order. */
export const waiting = ({ of }: Quotas, model: string, at: number): ReadonlyArray<Of<"enter">> =>
  of("enter")
    .filter((one) => one.call.model === model && one.from < at && at < one.to)
    .sort((a, b) => a.call.order - b.call.order)

const unlimited: QuotaLimits = {
  requests: Infinity,
  tokens: Infinity,
  burst: Infinity,
  concurrency: Infinity,
  least: Infinity,
  waiters: Infinity
}

/** The tightest of all holders. */
export const limitsAt = ({ of }: Quotas, at: number): QuotaLimits => {
  const gone = new Set(of("part").flatMap(({ call, from }) => (from < at ? [call.holder] : [])))
  const all = of("join").filter(({ call, from }) => from < at && !gone.has(call.holder))
  const tightest = all.reduce(
    (most, { call: { limits } }) => ({
      requests: Math.min(most.requests, limits.requests),
      tokens: Math.min(most.tokens, limits.tokens),
      burst: Math.min(most.burst, limits.burst),
      concurrency: Math.min(most.concurrency, limits.concurrency),
      least: Math.min(most.least, limits.least),
      waiters: Math.min(most.waiters, limits.waiters)
    }),
    unlimited
  )
  return tightest.burst === Infinity ? { ...tightest, burst: 1 } : tightest
}

type AnswerCall = Extract<QuotaCall, { readonly f: "answer" }>

/** Probes that are refused are so far apart, whatever the answers ask, and those who follow one go at a pace: ms at most. */
const REOPENING_MS = 2_000

const isRefusal = (status: number): boolean => status === 429 || status === 503

const lastOf = ({ of, permits }: Quotas, model: string, at: number, ms: (answer: AnswerCall) => number): number =>
  Math.max(
    -Infinity,
    ...of("answer").flatMap(({ at: when, call, from }) => {
      const isOfModel = permits.some((one) => one.op === call.permit && one.model === model)
      return from < at && isOfModel && ms(call) > 0 ? [when + ms(call)] : []
    })
  )

/** Time until which answers have closed the gate of a model, as far as they are recorded by then. */
export const closedUntil = (quotas: Quotas, model: string, at: number): number =>
  lastOf(quotas, model, at, ({ closes }) => closes)

/** Until when it may be closed, since probes were refused. */
export const mayBeClosedUntil = (quotas: Quotas, model: string, at: number): number =>
  lastOf(quotas, model, at, ({ closes, status }) => (isRefusal(status) || closes > 0 ? closes + REOPENING_MS : closes))
