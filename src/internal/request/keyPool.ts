/** The credentials of one client, each with its own quota: a request goes to the one that opens earliest. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"
import type { ClientConfig } from "../../ClientConfig.ts"
import type { Quota } from "../../Quota.ts"
import { members } from "../credential/model.ts"
import type { ErrorOrigin } from "./errors/fromSdk.ts"
import type { Demand } from "../quota/demand.ts"
import * as SecretSource from "../credential/secretSource.ts"

export interface PoolKey {
  readonly quota: Quota
  readonly secrets: SecretSource.SecretSource
}

export interface KeyPool {
  readonly size: number
  readonly isPool: boolean
  /** `isAvoided`: counts as if it opened later, such as one that has just refused this request. @default none does */
  readonly choose: (demand: Demand, isAvoided?: (poolKey: PoolKey) => boolean) => PoolKey
  /** Secrets that are at hand. */
  readonly known: () => ReadonlyArray<Redacted.Redacted>
}

type Outlook = ReturnType<Quota["outlook"]>

/** One that opens within this time of one to avoid is taken in its place. */
const AVOIDED_MS = 1_000

const before = (a: Outlook, b: Outlook): boolean => {
  for (let i = 0; i < a.length; i++) {
    if (a[i]! !== b[i]!) return a[i]! < b[i]!
  }
  return false
}

/** `quotas` are those of the config's credentials, in their order. */
export const make = (place: ErrorOrigin, config: ClientConfig, quotas: ReadonlyArray<Quota>): Effect.Effect<KeyPool> =>
  Effect.map(
    Effect.forEach(members(config.credential), (member, index) =>
      Effect.map(SecretSource.make(place, member), (secrets): PoolKey => ({ quota: quotas[index]!, secrets }))
    ),
    poolOf
  )

const poolOf = (all: ReadonlyArray<PoolKey>): KeyPool => {
  const known = () => all.flatMap(({ secrets }) => secrets.peek() ?? [])
  if (all.length === 1) {
    const [only] = all
    return { size: 1, isPool: false, choose: () => only!, known }
  }
  let turn = 0
  return {
    size: all.length,
    isPool: true,
    known,
    choose: (demand, isAvoided = () => false) => {
      // Equal credentials take turns.
      turn = (turn + 1) % all.length
      let best = all[turn]!
      const outlookOf = (one: PoolKey): Outlook => {
        const [refused, opensIn, load] = one.quota.outlook(demand)
        return [refused, opensIn + (isAvoided(one) ? AVOIDED_MS : 0), load]
      }
      let outlook = outlookOf(best)
      for (let i = 1; i < all.length; i++) {
        const other = all[(turn + i) % all.length]!
        const itsOutlook = outlookOf(other)
        if (before(itsOutlook, outlook)) [best, outlook] = [other, itsOutlook]
      }
      return best
    }
  }
}

/**
 * Resolves to true if there is another secret than the one that was refused. To false if that can't be loaded: the 401
 * is the more useful error.
 */
export const renew = async (
  { secrets }: PoolKey,
  secret: Redacted.Redacted,
  signal: AbortSignal | undefined
): Promise<boolean> => {
  if (!secrets.refused(secret)) return false
  try {
    return !Equal.equals(secrets.peek() ?? (await secrets.load(signal)), secret)
  } catch (error) {
    if (signal?.aborted === true) throw error
    return false
  }
}
