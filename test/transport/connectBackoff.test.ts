/** When a pool that could not connect dials again. */
import { expect, test } from "vitest"
import { Redial } from "../../src/internal/transport/connectBackoff.ts"
import { ask, pool, verdict } from "./harness.ts"

/** Resolves when it may dial. */
const made = (): { readonly redial: Redial; readonly due: Promise<void> } => {
  let resolve: () => void
  const due = new Promise<void>((done) => (resolve = done))
  return { redial: new Redial(() => resolve()), due }
}

test("a pool without lanes waits a moment, and is called when that is over", async () => {
  const { due, redial } = made()
  expect(redial.isHeld(0)).toBe(false)
  const began = performance.now()
  redial.failed(0, true)
  expect(redial.isHeld(0)).toBe(true)
  await due
  expect(redial.isHeld(0)).toBe(false)
  expect(performance.now() - began).toBeGreaterThanOrEqual(50)
})

test("each failure in a row makes it wait longer, up to half a second, and a connection ends that", async () => {
  const { due, redial } = made()
  for (let i = 0; i < 3; i++) redial.failed(0, true)
  const began = performance.now()
  await due
  expect(performance.now() - began).toBeGreaterThanOrEqual(199)
  redial.failed(0, true)
  redial.connected()
  expect(redial.isHeld(0)).toBe(false)
})

test("a final failure is not waited for", () => {
  const { redial } = made()
  redial.failed(0, false)
  expect(redial.isHeld(0)).toBe(false)
})

test("a pool that has lanes leaves off opening more, until the last of them has gone", () => {
  const { redial } = made()
  redial.failed(1, true)
  expect(redial.isHeld(1)).toBe(true)
  expect(redial.isHeld(0)).toBe(false)
})

test("a pool that could not connect four times dials no sooner than a quarter of a second later", async () => {
  const it = pool("http://127.0.0.1:9")
  let began = 0
  for (let i = 0; i < 5; i++) {
    // The fourth waits for its own turn as well, and is the last that ends before the pause that counts.
    if (i === 3) began = performance.now()
    expect(await verdict(ask(it))).toBe("Connection, no")
  }
  expect(performance.now() - began).toBeGreaterThanOrEqual(250)
  expect(it.stats().opened).toBe(5)
})
