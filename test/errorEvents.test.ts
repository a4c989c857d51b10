/** Events of streams that tell errors, on their way to an SDK. */
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { cleanEvents } from "../src/internal/errorEvents.ts"

const key = 'sk-CANARY"key'
const header = "CANARY-header"
const secret = Redacted.make(key)

const hidden = [header]

const clean = (text: string): string => Buffer.from(cleanEvents(Buffer.from(text), secret, hidden)).toString()

const escaped = JSON.stringify(key).slice(1, -1)

describe("an event with a secret in it", () => {
  it.each([
    `event: error\ndata: {"message":"${escaped} ${header}"}\n\n`,
    `data: {"error":{"message":"${escaped} ${header}"}}\n\n`,
    `data: {"type":"error","message":"${escaped} ${header}"}\r\n\r\n`,
    `data:${key} ${header}\n\n`,
    `id: 1\ndata: {"error":\ndata: "${escaped} ${header}"}\n\n`
  ])("loses it where an SDK makes an error of it: %j", (event) => {
    const before = 'data: {"choices":[]}\n\n'
    const told = clean(before + event)
    assert.isTrue(told.startsWith(before))
    for (const one of [key, escaped, header]) assert.notInclude(told, one)
    assert.include(told, "[key] [header]")
    assert.isTrue(/[\r\n]{2}$/.test(told))
  })

  it.each([
    `data: {"choices":[{"delta":{"content":"${escaped} ${header}, an error"}}]}\n\n`,
    `data: {"error":null,"choices":[{"delta":{"content":"${escaped}"}}]}\n\n`,
    `data: {"choices":[{"delta":{"content":"half of ${escaped}`,
    `tent":"the rest of ${escaped}"}}]}\n\ndata: [DONE]\n\n`
  ])("is as it came where it is no error, or nobody can tell: %j", (event) => {
    assert.strictEqual(clean(event), event)
  })

  it("leaves all that has no secret in it untouched, wherever the chunks are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.strictEqual(cleanEvents(bytes, secret, hidden), bytes)
      })
    )
    // Beside a secret that is taken out, half of a character stays half of it.
    const told = cleanEvents(
      Buffer.concat([Buffer.from(`data: {"error":"${escaped}"}\n\ndata: "`), Buffer.from([0xe4, 0xb8])]),
      secret,
      hidden
    )
    assert.deepStrictEqual(Array.from(told.slice(-2)), [0xe4, 0xb8])
    assert.notInclude(Buffer.from(told).toString("latin1"), "CANARY")
  })
})
