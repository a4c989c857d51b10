/** Answers that do not say what they cost, and what others spend of the same account. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import * as ClientLayer from "../../src/ClientLayer.ts"
import * as ClientMap from "../../src/ClientMap.ts"
import { EventScanner } from "../../src/internal/http/sse/scanner.ts"
import { metering } from "../../src/internal/quota/metering.ts"
import { overdraft } from "../../src/internal/quota/overdraft.ts"
import { makeMeter } from "../../src/internal/quota/tokenUsage.ts"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { handTicker } from "../support/handTicker.ts"
import { hurried } from "../support/hurried.ts"
import { answer, demand, enter, laneOf } from "../support/limiters.ts"
import { question, subjects, type Subject } from "../support/providers.ts"
import { eventually } from "../support/wait.ts"

const [openai] = subjects as readonly [Subject, ...ReadonlyArray<Subject>]

const event = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const streamOf = (tokens: number) =>
  event({ role: "assistant", content: "" }) +
  Array.from({ length: tokens }, (_, i) => event({ content: `data: ${i}\ndata: "delta"` })).join("") +
  event({}, "stop") +
  "data: [DONE]\n\n"

/** A meter of a stream, as the body's filter feeds it. */
const metered = () => {
  const meter = makeMeter()
  const scanner = new EventScanner()
  const add = (chunk: Buffer) => {
    scanner.scan(chunk)
    meter.chunk(chunk, scanner.dataLines)
  }
  return { add, meter }
}

describe("tokens received", () => {
  it("are the events of a stream that carry content, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 60 }),
        fc.integer({ min: 1, max: 700 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        (tokens, size, lineEnd) => {
          const bytes = Buffer.from(streamOf(tokens).replaceAll("\n", lineEnd))
          const { add, meter } = metered()
          for (let at = 0; at < bytes.length; at += size) add(bytes.subarray(at, at + size))
          // A chunk that ends within the last line is one too many.
          assert.include([tokens, tokens + 1], meter.received())
        }
      )
    )
    const named = metered()
    named.add(Buffer.from(`: ping\n\nevent: delta\nid: 1\n${streamOf(7).slice(0, -14)}`))
    assert.strictEqual(named.meter.received(), 7)
  })

  it("are a fourth of the characters of JSON, and undefined for other answers", () => {
    const json = makeMeter()
    json.chunk(Buffer.from(` {"text":"${"x".repeat(388)}"}`), 0)
    assert.strictEqual(json.received(), 100)
    const audio = makeMeter()
    audio.chunk(Buffer.from("ID3\u0003 data: no"), 0)
    assert.isUndefined(audio.received())
  })
})

const start = async () => {
  const ticker = handTicker()
  const lane = laneOf(ticker, { tokensPerMinute: 100_000 })
  const permit = await enter(lane, demand(300))
  const { onTapped, tap } = metering(permit, { prompt: 100, output: undefined }, () => {})
  let sent = 0
  const send = (events: number) => {
    for (let i = 0; i < events; i++) tap(Buffer.from(event({ content: "word" })), ++sent)
  }
  const tell = (usage: object) => tap(Buffer.from(`data: ${JSON.stringify({ choices: [], usage })}\n\n`), ++sent)
  return { end: onTapped, lane, send, tell, spent: () => 100_000 - lane.tokensLeft(0), ticker }
}

describe("a stream that generates more than was reserved for it", () => {
  it("pays for it as it comes, and for the rest at its end", async () => {
    const { end, send, spent } = await start()
    send(263)
    assert.strictEqual(spent(), 300, "a little beyond is no matter")
    send(1)
    assert.strictEqual(spent(), 364)
    for (let sent = 264; sent < 5_000; sent += 500) {
      send(500)
      assert.isAtLeast(spent(), 100 + (sent + 500) * 0.88)
    }
    const sent = spent()
    end()
    assert.isAtLeast(spent(), sent)
    assert.strictEqual(spent(), 100 + 264 + 10 * 500 - 2)
  })

  it("makes others wait for it while it runs", async () => {
    const { lane, send, ticker } = await start()
    send(50_000)
    let gone = false
    void enter(lane, demand(1)).then(() => (gone = true))
    await ticker.pass(20_000)
    assert.isFalse(gone)
    await ticker.pass(12_000)
    assert.isTrue(gone)
  })

  it("raises the estimate of the next one without a bound", async () => {
    const { end, lane, send } = await start()
    send(1_258)
    end()
    let mean = 0
    lane.tryEnter({
      order: 0,
      tokens: (output) => {
        mean = output
        return 0
      }
    })
    assert.strictEqual(mean, 256 + (1_256 - 256) / 10)
  })

  it("raises the estimate of waiting ones as well", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { tokensPerMinute: 60_000 })
    const permit = await enter(lane, demand(1_000))
    const waiting = enter(lane, { order: Infinity, tokens: (mean) => mean })
    permit.settle(1_000, 1_256)
    await ticker.pass(1_000)
    assert.strictEqual((await waiting).tokens, 356)
  })

  it("is settled by its usage in the end, even if that is less", async () => {
    const { end, send, spent, tell } = await start()
    send(1_000)
    assert.isAbove(spent(), 900)
    tell({ prompt_tokens: 50, completion_tokens: 400, total_tokens: 450 })
    end()
    assert.strictEqual(spent(), 450)
  })
})

const LIMIT = 240_000
const ANSWER = 500

describe("a budget of tokens", () => {
  it.scoped("is used, and not overdrawn, by streams without usage", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: ANSWER, logSize: 1_000 })
      const config = yield* openai.config(sandbox, { quota: { tokensPerMinute: LIMIT } })
      yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: 30 }),
          () => Effect.forever(Stream.runDrain(openai.stream(config)).pipe(Effect.orDie)),
          { concurrency: "unbounded" }
        )
      )
      yield* eventually(
        Effect.sync(() => sandbox.stats().requests),
        (count) => count > 0
      )
      const ms = 8_000
      yield* Effect.sleep(ms)
      const spent = sandbox.stats().requests * ANSWER
      const allowed = (LIMIT * ms) / 60_000
      assert.isAtLeast(spent / allowed, 0.9)
      assert.isAtMost(spent / allowed, 1.05)
    }).pipe(hurried, Effect.provide(ClientLayer.layer()))
  )

  it.scoped("pays for the received part of a cancelled stream, and no more", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.make({ tokens: ANSWER })
      const config = yield* openai.config(sandbox, { quota: { tokensPerMinute: LIMIT, burst: 10 } })
      yield* Stream.runDrain(
        openai
          .streamWith(config, (client) =>
            client.chat.completions.create(
              Object.assign(question("hello"), { stream: true as const, max_tokens: 9_000 })
            )
          )
          .pipe(Stream.take(50))
      )
      const { quotas } = yield* eventually(ClientMap.stats, ({ quotas }) => quotas[0]?.inFlight === 0)
      const spent = LIMIT - (quotas[0]!.models[0]?.tokensLeft ?? LIMIT)
      // Pieces that came with the same chunk of the wire were generated too.
      assert.isTrue(spent >= 50 && spent <= ANSWER + 50, `${spent}`)
    }).pipe(Effect.provide(ClientLayer.layer()))
  )
})

const headers = (remaining: string, reset = "60s", limit = "60000") => ({
  "x-ratelimit-limit-tokens": limit,
  "x-ratelimit-remaining-tokens": remaining,
  "x-ratelimit-reset-tokens": reset
})

describe("the provider's remaining tokens", () => {
  const ours = { tokensPerMinute: 100_000, left: 100_000, inFlight: 0 }

  it("change nothing if our schedule keeps to them, with a budget by window or filling evenly", () => {
    for (let part = 0; part <= 1; part += 0.05) {
      const remaining = Math.round(100_000 * (1 - part))
      const window = { limit: 100_000, remaining, reset: (1 - part) * 60_000 }
      assert.strictEqual(overdraft(window, ours), 0, `window, ${part}`)
    }
    for (const remaining of [100_000, 80_000, 50_000]) {
      const even = { limit: 100_000, remaining, reset: (1 - remaining / 100_000) * 60_000 }
      assert.strictEqual(overdraft(even, ours), 0, `evenly, ${remaining}`)
      assert.strictEqual(overdraft({ ...even, reset: undefined }, ours), 0, `evenly, ${remaining}, no reset`)
    }
    assert.strictEqual(overdraft({ limit: 1_000_000, remaining: 500_000, reset: 30_000 }, ours), 0, "it is larger")
  })

  it("subtract what other users spent, but not what requests in flight may give back, nor more than a minute", () => {
    const spent = { limit: 100_000, remaining: 20_000, reset: 45_000 }
    assert.strictEqual(overdraft(spent, ours), 55_000)
    assert.strictEqual(overdraft(spent, { ...ours, left: 60_000 }), 15_000)
    assert.strictEqual(overdraft(spent, { ...ours, inFlight: 30_000 }), 25_000)
    assert.strictEqual(overdraft(spent, { ...ours, left: 45_000 }), 0)
    assert.strictEqual(overdraft({ limit: 10_000, remaining: 0, reset: 60_000 }, ours), 100_000, "theirs is smaller")
    assert.strictEqual(overdraft({ limit: 30_000, remaining: 29_000, reset: 360_000 }, ours), 0, "no minute's reset")
    assert.strictEqual(overdraft({ limit: 10, remaining: 20, reset: 60_000 }, ours), 0)
  })

  it("hold the next request back for as long as needed, once, and give nothing back", async () => {
    const ticker = handTicker()
    const lane = laneOf(ticker, { tokensPerMinute: 60_000 })
    const permits = [await enter(lane, demand(1_000))]
    await ticker.pass(1_000)
    permits.push(await enter(lane, demand(1_000)))
    for (const permit of permits) answer(permit, 200, headers("30000"))
    assert.closeTo(lane.tokensLeft(ticker.now()), 32_000, 1)
    for (const odd of [
      headers("-1"),
      headers("59000"),
      headers("0x0"),
      headers("10", "60s", "-1"),
      { "x-ratelimit-remaining-tokens": "5" }
    ]) {
      const before = lane.tokensLeft(ticker.now())
      await ticker.pass(60_000)
      const permit = await enter(lane, demand(1))
      answer(permit, 200, odd)
      assert.isAtLeast(lane.tokensLeft(ticker.now()), Math.max(before, 59_000))
    }
  })
})
