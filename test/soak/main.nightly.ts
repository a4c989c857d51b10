/** The soak at its full length, in a process of its own. */
import { execFile } from "node:child_process"
import { assert, describe, inject, it } from "vitest"

const MINUTES = 30

describe("soak", () => {
  it(`finds nothing left and no growth after ${MINUTES} minutes`, { timeout: (MINUTES + 10) * 60_000 }, async () => {
    const args = [
      "--expose-gc",
      "soak/main.ts",
      "--quiet",
      "--minutes",
      String(MINUTES),
      "--seed",
      String(1 + inject("seed"))
    ]
    const ended = await new Promise<{ readonly status: number | null; readonly text: string }>((resolve) => {
      const child = execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (_, stdout, stderr) =>
        resolve({ status: child.exitCode, text: stdout + stderr })
      )
    })
    assert.strictEqual(ended.status, 0, ended.text)
  })
})
