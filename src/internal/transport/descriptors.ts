/**
 * File descriptors, which all threads of a process share. Threads share no memory that they could count in, so each
 * looks at the open ones of the process, takes a part of the free ones, and aims to leave a quarter to everything else.
 * One that gets none asks the others, and those with more close idle sockets and yield busy ones as they become free.
 */
import { readdirSync, readFileSync } from "node:fs"
import { isMainThread } from "node:worker_threads"
import { clearInterval, performance, setInterval, setTimeout } from "../util/timers.ts"
import { root } from "../util/asyncContext.ts"
import { isLack } from "./lacking.ts"
import { Neighbours } from "./neighbours.ts"
import type { BudgetUser, Places } from "./places.ts"

let soft: number | undefined

/** Soft limit of the process on open descriptors; `Infinity` elsewhere than on Linux. */
export const softLimit = (): number => {
  if (soft === undefined) {
    soft = Infinity
    try {
      const told = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
      if (told !== undefined) soft = Number(told)
    } catch {
      // No procfs: not Linux.
    }
  }
  return soft
}

/** Soft limit from which on threads do not share it out: all that a machine runs could have 512 sockets each. */
const PLENTIFUL_DESCRIPTORS = 16_384

/** Interval, in ms, at which a thread counts the descriptors open in the process, while it takes or waits. */
const LOOK_MS = 20

/**
 * Time, in ms, after which a socket counts among the open descriptors: it gets its own at the end of the event loop's
 * turn, or once its host's name is resolved.
 */
const OPENING_MS = 50

/** Interval, in ms, at which a thread that waits notifies the others. */
const ASK_MS = 50

/** Pause, in ms, in which nothing is opened after a socket failed for lack of a descriptor. */
const EXHAUSTED_MS = 100

/** Time, in ms, that a thread without sockets waits for those of others before any has reported to hold some. */
const HOPE_MS = { alone: 500, divided: 5_000 }

/** Descriptors that even a thread without sockets leaves to others. */
const RESERVED_DESCRIPTORS = 16

export class Descriptors implements Places {
  readonly #neighbours = new Neighbours()
  #waiting: BudgetUser | undefined
  #timer: NodeJS.Timeout | undefined
  /** Sockets that may be opened before the next look. */
  #credit = 0
  /** Sockets that the next look may miss. */
  #opening = 0
  #lookedAt = -Infinity
  #askedAt = -Infinity
  #exhaustedAt = -Infinity
  #hopeUntil = -Infinity

  take = (user: BudgetUser): boolean => {
    if (this.#admits(user)) {
      // The main thread, which most often is the only one, listens when it holds enough to give.
      if (softLimit() < PLENTIFUL_DESCRIPTORS && (!isMainThread || user.held() >= softLimit() / 16))
        this.#neighbours.listen(user)
      return true
    }
    this.#waiting = user
    this.#timer ??= root(setInterval, this.#tick, LOOK_MS).unref()
    return false
  }

  release = (user: BudgetUser): void => {
    if (user.held() === 0 && this.#waiting === undefined) this.#neighbours.stop()
  }

  leave = (user: BudgetUser): void => {
    this.#waiting = undefined
    this.#stop()
    this.release(user)
  }

  room = (): number => Infinity

  isShort = (): boolean => this.#neighbours.waitSince() !== undefined

  othersWaitSince = (): number | undefined => this.#neighbours.waitSince()

  mustYield = (user: BudgetUser, turnSince: number): boolean => this.#neighbours.mustYield(user.held(), turnSince)

  yielded = (): void => this.#neighbours.yielded()

  exhausted = (): void => {
    const now = performance.now()
    const hope = this.#isDivided() ? HOPE_MS.divided : HOPE_MS.alone
    if (now - this.#exhaustedAt > 2 * hope) this.#hopeUntil = now + hope
    this.#exhaustedAt = now
  }

  othersHold = (): boolean => {
    const now = performance.now()
    return softLimit() < PLENTIFUL_DESCRIPTORS && (now < this.#hopeUntil || this.#neighbours.heldUntil > now)
  }

  #isDivided(): boolean {
    return softLimit() < PLENTIFUL_DESCRIPTORS && (!isMainThread || this.#neighbours.isKnown)
  }

  #admits(user: BudgetUser): boolean {
    const now = performance.now()
    if (now - this.#exhaustedAt < EXHAUSTED_MS) return false
    if (!this.#isDivided()) return true
    if (this.#neighbours.comesFirst(user.held())) return false
    if (now - this.#lookedAt >= LOOK_MS) {
      // A look before they are open would give out their descriptors once more.
      if (this.#opening > 0) return false
      this.#look(user.held(), now)
    }
    if (this.#credit === 0) return false
    this.#credit--
    this.#opening++
    root(setTimeout, this.#isOpen, OPENING_MS).unref()
    return true
  }

  #isOpen = (): void => {
    this.#opening--
  }

  /** Others look at the same time, so that each takes an eighth of what is free. */
  #look(held: number, now: number): void {
    this.#lookedAt = now
    const free = (held === 0 ? softLimit() - RESERVED_DESCRIPTORS : softLimit() * 0.75) - openDescriptors()
    this.#credit = Math.max(0, Math.ceil(free / 8))
  }

  #tick = (): void => {
    const user = this.#waiting
    while (this.#waiting !== undefined && this.#admits(this.#waiting)) {
      const { offer } = this.#waiting
      this.#waiting = undefined
      if (!offer()) break
    }
    if (this.#waiting === undefined) this.#stop()
    else this.#ask(this.#waiting)
    if (user !== undefined) this.release(user)
  }

  #ask(user: BudgetUser): void {
    const now = performance.now()
    if (now - this.#askedAt < ASK_MS || this.#neighbours.comesFirst(user.held())) return
    this.#askedAt = now
    // A channel does not reach its own sender, and what is idle here is as good.
    user.closeIdle()
    this.#neighbours.listen(user)
    this.#neighbours.ask(user.held())
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

const openDescriptors = (): number => {
  try {
    return readdirSync("/proc/self/fd").length
  } catch (error) {
    // Even this look found no descriptor; an unreadable folder is no evidence.
    return isLack(error) ? Infinity : 0
  }
}
