/** The file of results by itself. */
import { assert, describe, it } from "vitest"
import { ResultFile } from "../../src/cli/output/resultFile.ts"

const full = "/dev/full"

describe("a file of results", () => {
  it.skipIf(process.platform !== "linux")("fails at its end too if a write has failed before", async () => {
    const file = ResultFile.open({ file: full, header: "", mayReplace: true })
    const errors: Array<string> = []
    const note = (error: Error) => void errors.push(error.message)
    await file.write("x".repeat(1 << 16)).catch(note)
    await file.close().catch(note)
    assert.strictEqual(errors.length, 2)
    assert.match(errors[1]!, /can't write \/dev\/full: the disk is full/)
  })
})
