import * as Scheduler from "effect/Scheduler"

/** Fibers take their turns when `schedule` runs them. */
export const schedulerOf = (schedule: (turn: () => void) => void): Scheduler.Scheduler => ({
  scheduleTask: schedule,
  shouldYield: (fiber) => Scheduler.defaultScheduler.shouldYield(fiber)
})
