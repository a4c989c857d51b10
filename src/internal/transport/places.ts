/** Places for sockets, in a bounded number, with operations to take and yield them. */
import { performance } from "../util/timers.ts"

/** A user of a shared bound, as the bound sees it. */
export interface BudgetUser {
  /** Sockets it holds. */
  readonly held: () => number
  /** Since when its least recently used idle socket has been idle, `undefined` if none is. */
  readonly idleSince: () => number | undefined
  readonly closeIdle: () => void
  /** Its turn: it opens one socket, whose place is already taken for it, or returns false. */
  readonly offer: () => boolean
}

/** A shared bound, as its users see it. Copies of the package share objects of this shape, whatever their versions. */
export interface Places {
  /** Takes a place, or puts the user in line for one. */
  readonly take: (user: BudgetUser) => boolean
  /** A socket has closed, and the user no longer counts it. */
  readonly release: (user: BudgetUser) => void
  /** The user does not need a socket any more. */
  readonly leave: (user: BudgetUser) => void
  /** Places that are left. */
  readonly room: () => number
  /** True if more users are in line than sockets are closing for them. */
  readonly isShort: () => boolean
  /** Since when another user has been in line, `undefined` if none is. */
  readonly othersWaitSince: (user: BudgetUser) => number | undefined
  /** True if the user must give up a socket, open since `turnSince`, that it could use again. */
  readonly mustYield: (user: BudgetUser, turnSince: number) => boolean
  /** Tells that `mustYield` was obeyed, so that no more sockets are given up than there are users in line. */
  readonly yielded: () => void
  /** A socket could not be opened for want of a descriptor: for a moment there are no places. */
  readonly exhausted: () => void
  /** True if there are sockets beside the user's, one of which it may be given in time. */
  readonly othersHold: (user: BudgetUser) => boolean
}

/** Time, in ms, for which a pool keeps a socket busy while pools without any wait. */
const TURN_MS = 250

/**
 * True if a user with `own` sockets owes one to a waiter with `theirs`: if the waiter has fewer even with one more, or
 * if it has none and the user has had its turn. Otherwise sockets would change hands for nothing.
 */
export const owes = (own: number, theirs: number, turnSince: number): boolean =>
  own > theirs + 1 || (own > theirs && theirs === 0 && performance.now() - turnSince > TURN_MS)
