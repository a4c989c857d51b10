import * as Scheduler from "effect/Scheduler"

const standard = new Scheduler.MixedScheduler()

/** Fibers take their turns when `schedule` runs them. */
export const schedulerOf = (schedule: (turn: () => void) => void): Scheduler.Scheduler => ({
  executionMode: "async",
  shouldYield: (fiber) => standard.shouldYield(fiber),
  makeDispatcher: () => ({ scheduleTask: schedule, flush: () => undefined })
})
