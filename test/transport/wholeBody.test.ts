import { describe, expect, it } from "vitest"
import { BodyCore, type BodySource } from "../../src/internal/transport/body.ts"
import { WireError } from "../../src/internal/wire/errors.ts"

const source: BodySource = { pause: () => {}, resume: () => {}, giveUp: () => {}, reading: () => {} }

const bytesOf = (...texts: ReadonlyArray<string>) => {
  const core = new BodyCore(source)
  const body = core.open()
  for (const text of texts) core.push(Buffer.from(text))
  return { body, core }
}

describe("a body that has come", () => {
  it("is taken whole once it has ended, and only once", async () => {
    const { body, core } = bytesOf("ab", "c")
    expect(body.takeWhole?.(10)).toBe(undefined)
    core.finish(undefined)
    expect(Buffer.from(body.takeWhole!(10)!).toString()).toBe("abc")
    expect(body.takeWhole?.(10)).toBe(undefined)
    expect(await body.read()).toBe(undefined)
  })

  it("is taken whole if it is empty", () => {
    const { body, core } = bytesOf()
    core.finish(undefined)
    expect(body.takeWhole?.(0)).toHaveLength(0)
  })

  it("stays to be read if it has more bytes than are wanted", async () => {
    const { body, core } = bytesOf("abc")
    core.finish(undefined)
    expect(body.takeWhole?.(2)).toBe(undefined)
    expect(Buffer.from((await body.read())!).toString()).toBe("abc")
  })

  it("is not taken whole once a part of it was read", async () => {
    const { body, core } = bytesOf("ab", "c")
    core.finish(undefined)
    await body.read()
    expect(body.takeWhole?.(10)).toBe(undefined)
    expect(Buffer.from((await body.read())!).toString()).toBe("c")
  })

  it("is not taken whole if it was cut, so that its reader gets the error", async () => {
    const { body, core } = bytesOf("abc")
    const error = new WireError("Connection", "yes", "cut")
    core.finish(error)
    expect(body.takeWhole?.(10)).toBe(undefined)
    expect(Buffer.from((await body.read())!).toString()).toBe("abc")
    await expect(body.read()).rejects.toBe(error)
  })
})
