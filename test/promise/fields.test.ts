import { setFlagsFromString } from "node:v8"
import { afterAll, assert, it } from "vitest"
import { closeAll } from "../../src/Promise.ts"
import { subjects } from "./doors.ts"

afterAll(closeAll)

// In a file of its own: the first client of a process is what it takes most for.
it("the fields of a client are as quick to read as the SDK's own, also of the first that is made", () => {
  setFlagsFromString("--allow-natives-syntax")
  const isPlain = new Function("object", "return %HasFastProperties(object)") as (object: object) => boolean
  for (const { bare, get, name } of subjects) {
    for (let i = 0; i < 5; i++) {
      assert.isTrue(isPlain(get("http://127.0.0.1:9", { apiKey: `sk-${i}` })), `${name} ${i}`)
    }
    assert.isTrue(isPlain(bare("http://127.0.0.1:9")), name)
  }
})
