import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { assert } from "vitest"
import * as Attempts from "../src/internal/telemetry/attempts.ts"
import * as call from "../src/internal/request/call.ts"
import * as callStream from "../src/internal/request/callStream.ts"
import * as CallContext from "../src/internal/request/callContext.ts"
import { WireError } from "../src/internal/wire/errors.ts"
import * as Telemetry from "../src/Telemetry.ts"
import { series } from "./support/metrics.ts"
import { spanServices } from "./support/tracer.ts"

const place = { provider: "groq", baseURL: "https://api.groq.com" }

const outcomes = [
  "ok",
  "rate_limited",
  "unauthorized",
  "client",
  "server",
  "timeout",
  "connection",
  "malformed",
  "aborted"
] as const satisfies ReadonlyArray<Telemetry.Outcome>

const attempts = (provider: string, outcome: Telemetry.Outcome) =>
  Effect.runSync(
    Metric.value(Telemetry.attempts.pipe(Metric.tagged("provider", provider), Metric.tagged("outcome", outcome)))
  ).count

const retries = (provider: string, reason: Telemetry.Outcome) =>
  Effect.runSync(
    Metric.value(Telemetry.retries.pipe(Metric.tagged("provider", provider), Metric.tagged("reason", reason)))
  ).count

const make = (provider: string) => Attempts.make(provider, "https://api.groq.com")

/** An attempt that came to its end after so many milliseconds. */
const after = (ms: number, attempt: number, outcome: Telemetry.Outcome, status?: number): Attempts.Ended => ({
  attempt,
  outcome,
  ms,
  method: "POST",
  protocol: status === undefined ? undefined : "http/1.1",
  status
})

/** A provider that no other test counts for. */
let made = 0
const fresh = () => `provider-${made++}`

/** The span that a request made here would see: the name of one of ours, else its tag. */
const spanOfCall = (): string | undefined => {
  const span = CallContext.current()?.span
  return span?._tag === "Span" ? span.name : span?._tag
}

interface Event {
  readonly name: string
  readonly time: bigint
  readonly attributes: unknown
}

/** A span that remembers its events. */
const recording = (more: Partial<Tracer.Span> = {}) => {
  const events: Array<Event> = []
  const span: Tracer.Span = {
    _tag: "Span",
    name: "agent",
    spanId: "1",
    traceId: "2",
    parent: Option.none(),
    ...spanServices,
    status: { _tag: "Started", startTime: 0n },
    attributes: new Map(),
    links: [],
    sampled: true,
    kind: "internal",
    end: () => undefined,
    attribute: () => undefined,
    addLinks: () => undefined,
    event: (name, time, attributes) => events.push({ name, time, attributes }),
    ...more
  }
  return { span, events, told: () => events.map(({ attributes, name }) => ({ name, attributes })) }
}

describe("counts of attempts", () => {
  it("are kept by provider and outcome, and by nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ outcome: fc.constantFrom(...outcomes), retried: fc.boolean(), other: fc.boolean() })),
        (events) => {
          const names = [fresh(), fresh()] as const
          for (const { outcome, retried, other } of events) {
            const recorder = make(names[other ? 1 : 0])
            recorder.ended(undefined, after(3, 1, outcome))
            if (retried) recorder.retry(undefined, 1, outcome, 3)
          }
          for (const [i, name] of names.entries()) {
            const own = events.filter(({ other }) => other === (i === 1))
            for (const outcome of outcomes) {
              const all = own.filter((event) => event.outcome === outcome)
              assert.strictEqual(attempts(name, outcome), all.length)
              assert.strictEqual(retries(name, outcome), all.filter(({ retried }) => retried).length)
            }
          }
        }
      ),
      { numRuns: 30 }
    )
  })

  it("are one metric for all clients of a provider, with two labels", () => {
    const provider = fresh()
    make(provider).ended(undefined, after(3, 1, "ok", 200))
    make(provider).ended(undefined, after(3, 1, "ok", 200))
    assert.deepStrictEqual(
      series("clientele.attempts", { provider }).map(({ count, labels }) => ({ labels, count })),
      [{ labels: { provider, outcome: "ok" }, count: 2 }]
    )
  })

  it("name each status and each failure of the wire by one word", () => {
    const statuses = [101, 200, 302, 400, 401, 403, 404, 408, 409, 422, 429, 499, 500, 503, 529, 600]
    assert.deepStrictEqual(
      statuses.map((status) => [status, Attempts.outcomeOfStatus(status)]),
      [
        [101, "ok"],
        [200, "ok"],
        [302, "ok"],
        [400, "client"],
        [401, "unauthorized"],
        [403, "unauthorized"],
        [404, "client"],
        [408, "timeout"],
        [409, "client"],
        [422, "client"],
        [429, "rate_limited"],
        [499, "client"],
        [500, "server"],
        [503, "server"],
        [529, "server"],
        [600, "server"]
      ]
    )
    const reasons = [
      "Timeout",
      "QueueTimeout",
      "Connection",
      "FileDescriptors",
      "Untrusted",
      "Malformed",
      "Refused",
      "Aborted",
      "Closed"
    ] as const
    assert.deepStrictEqual(
      reasons.map((reason) => Attempts.outcomeOfError(new WireError(reason, "no", "gone"))),
      ["timeout", "timeout", "connection", "connection", "connection", "malformed", "client", "aborted", "aborted"]
    )
  })
})

describe("the wait for quota", () => {
  it("is a histogram in seconds, and 10 ms count as its first bucket", () => {
    const provider = fresh()
    const recorder = make(provider)
    for (const ms of [10, 11, 1_000, 100_000]) recorder.waited(ms)
    const state = Effect.runSync(Metric.value(Telemetry.quotaWait.pipe(Metric.tagged("provider", provider))))
    assert.deepStrictEqual([state.count, state.min, state.max, state.sum], [4, 0.01, 100, 101.021])
    const at = new Map(state.buckets)
    assert.deepStrictEqual(
      [0.01, 0.02, 0.64, 1.28, 81.92].map((bound) => at.get(bound)),
      [1, 2, 2, 3, 3]
    )
  })
})

describe("the span of a call", () => {
  it("has an event for each attempt and each retry, with the attributes that OpenTelemetry names", () => {
    const { events, span, told } = recording()
    const recorder = make("groq")
    const before = BigInt(Date.now() - 1_000) * 1_000_000n
    recorder.ended(span, after(12, 1, "server", 503))
    recorder.retry(span, 1, "server", 1_500)
    recorder.ended(span, after(3, 2, "connection"))
    recorder.ended(span, after(250, 3, "ok", 200))
    const provider = { "clientele.provider": "groq" }
    const request = { "http.request.method": "POST", "server.address": "api.groq.com", "server.port": 443 }
    const answered = { ...request, "network.protocol.version": "1.1" }
    assert.deepStrictEqual(told(), [
      {
        name: "clientele.attempt",
        attributes: {
          ...provider,
          ...answered,
          "clientele.attempt.outcome": "server",
          "clientele.attempt.duration": 0.012,
          "http.response.status_code": 503,
          "error.type": "503"
        }
      },
      {
        name: "clientele.retry",
        attributes: {
          ...provider,
          "clientele.retry.reason": "server",
          "clientele.retry.delay": 1.5,
          "http.request.resend_count": 1
        }
      },
      {
        name: "clientele.attempt",
        attributes: {
          ...provider,
          ...request,
          "clientele.attempt.outcome": "connection",
          "clientele.attempt.duration": 0.003,
          "http.request.resend_count": 1,
          "error.type": "connection"
        }
      },
      {
        name: "clientele.attempt",
        attributes: {
          ...provider,
          ...answered,
          "clientele.attempt.outcome": "ok",
          "clientele.attempt.duration": 0.25,
          "http.request.resend_count": 2,
          "http.response.status_code": 200
        }
      }
    ])
    // Nanoseconds since the epoch, in order.
    const times = events.map(({ time }) => time)
    assert.deepStrictEqual(
      times,
      times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    )
    assert.isTrue(times[0]! > before)
  })

  it("has none if it is not sampled, has ended, or is another process's", () => {
    const provider = fresh()
    const recorder = make(provider)
    const unsampled = recording({ sampled: false })
    const ended = recording({ status: { _tag: "Ended", startTime: 0n, endTime: 1n, exit: Exit.void } })
    for (const { span } of [unsampled, ended]) {
      recorder.ended(span, after(3, 1, "ok", 200))
      recorder.retry(span, 1, "server", 3)
    }
    recorder.ended(Tracer.externalSpan({ spanId: "1", traceId: "2" }), after(3, 1, "ok", 200))
    assert.deepStrictEqual([unsampled.events, ended.events, attempts(provider, "ok")], [[], [], 3])
  })

  it("may fail to take it, which is not the request's failure", () => {
    const provider = fresh()
    const { span } = recording({
      event: () => {
        throw new Error("the exporter is broken")
      }
    })
    make(provider).ended(span, after(3, 1, "ok", 200))
    assert.strictEqual(attempts(provider, "ok"), 1)
  })
})

describe("the span of a call's requests", () => {
  it.effect("is the span of its own fiber, also among a hundred, and after it has waited", () =>
    Effect.gen(function* () {
      const asked = Array.from({ length: 100 }, (_, i) => `agent ${i}`)
      const found = yield* Effect.forEach(
        asked,
        (agent) =>
          call
            .promise(place, async () => {
              await Promise.resolve()
              return spanOfCall()
            })
            .pipe(Effect.withSpan(agent)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(found, asked)
    })
  )

  it.effect("is no span where there is none, and another's where that is the parent", () =>
    Effect.gen(function* () {
      const bare = call.promise(place, async () => spanOfCall())
      assert.strictEqual(yield* bare, undefined)
      const parent = Tracer.externalSpan({ spanId: "1", traceId: "2" })
      assert.strictEqual(yield* Effect.withParentSpan(bare, parent), "ExternalSpan")
      // The same effect, run again elsewhere: nothing is kept from the first run.
      assert.strictEqual(yield* Effect.withSpan(bare, "later"), "later")
    })
  )

  it.effect("is the span around a stream, at its first request and at each later one", () =>
    Effect.gen(function* () {
      const spans: Array<string | undefined> = []
      const pages = callStream.stream(place, async () => {
        spans.push(spanOfCall())
        return (async function* () {
          for (let page = 0; page < 2; page++) {
            await Promise.resolve()
            spans.push(spanOfCall())
            yield page
          }
        })()
      })
      yield* Stream.runDrain(Stream.withSpan(pages, "crawl"))
      assert.deepStrictEqual(spans, ["crawl", "crawl", "crawl"])
    })
  )
})
