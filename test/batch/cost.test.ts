import { assert, describe, it } from "vitest"
import { CostBudget } from "../../src/internal/batch/cost/budget.ts"
import { costOfUsage, mostOf, usageIn } from "../../src/internal/batch/cost/cost.ts"
import { PRICES_AS_OF, priceOf } from "../../src/internal/batch/cost/prices.ts"

const price = { input: 1, cachedInput: 0.1, output: 10 }

describe("the cost of usage", () => {
  it("counts cached input at its own price", () => {
    assert.closeTo(
      costOfUsage(price, { input: 1_000_000, cachedInput: 400_000, output: 100_000 }),
      0.6 + 0.04 + 1,
      1e-9
    )
    const { cachedInput: _, ...uncached } = price
    assert.closeTo(costOfUsage(uncached, { input: 1_000_000, cachedInput: 400_000, output: 0 }), 1, 1e-9)
  })

  it("has its dearer tier past the length of a long prompt, and a bound that no usage within it passes", () => {
    const tiered = { ...price, long: { above: 1_000, input: 2, output: 15 } }
    assert.closeTo(costOfUsage(tiered, { input: 2_000, cachedInput: 0, output: 100 }), 0.004 + 0.0015, 1e-12)
    for (const input of [10, 1_000, 1_001, 5_000]) {
      for (const cachedInput of [0, input]) {
        assert.isAtMost(costOfUsage(tiered, { input, cachedInput, output: 50 }), mostOf(tiered, input, 50) + 1e-12)
      }
    }
  })
})

describe("usage", () => {
  it("is read in the names of each provider", () => {
    const openai = { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 } }
    assert.deepStrictEqual(usageIn(openai), { input: 10, output: 5, cachedInput: 4 })
    const responses = { input_tokens: 10, output_tokens: 5, input_tokens_details: { cached_tokens: 2 } }
    assert.deepStrictEqual(usageIn(responses), { input: 10, output: 5, cachedInput: 2 })
    const anthropic = {
      input_tokens: 10,
      output_tokens: 5,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 20
    }
    assert.deepStrictEqual(usageIn(anthropic), { input: 130, output: 5, cachedInput: 100 })
  })

  it("is unknown where there are no counts", () => {
    for (const nothing of [undefined, null, {}, { prompt_tokens: "3" }, "text"]) {
      assert.strictEqual(usageIn(nothing), undefined)
    }
  })
})

describe("the price of a model", () => {
  it("is that of the table, also for a dated version", () => {
    assert.deepStrictEqual(priceOf("openai:gpt-5-mini"), { input: 0.25, cachedInput: 0.025, output: 2 })
    assert.deepStrictEqual(priceOf("openai:gpt-5-mini-2025-08-07"), priceOf("openai:gpt-5-mini"))
    assert.deepStrictEqual(priceOf("gpt-5-mini"), priceOf("openai:gpt-5-mini"))
    assert.match(PRICES_AS_OF, /^\d{4}-\d{2}-\d{2}$/)
  })

  it("is the user's where there is one, by model or by provider and model", () => {
    assert.strictEqual(priceOf("openai:gpt-5-mini", { "gpt-5-mini": price }), price)
    assert.strictEqual(priceOf("openai:gpt-5-mini", { "openai:gpt-5-mini": price }), price)
    assert.strictEqual(priceOf("azure:ours", { ours: price }), price)
  })

  it("is unknown, never 0, for models of nobody, for deployments, and where providers differ", () => {
    for (const model of ["openai:gpt-nope", "azure:gpt-5-mini", "nope", "toString", "openai:toString"]) {
      assert.strictEqual(priceOf(model), undefined, model)
    }
  })
})

describe("CostBudget", () => {
  it("reserves no more than is left, and counts a row of unknown cost as its bound", () => {
    const budget = new CostBudget(10, 4)
    assert.isTrue(budget.reserve(3))
    assert.isTrue(budget.reserve(3))
    assert.isFalse(budget.reserve(0.1))
    budget.settle(3, 1)
    assert.isFalse(budget.reserve(2.5))
    assert.isTrue(budget.reserve(2))
    budget.settle(3, undefined)
    budget.settle(2, 0)
    assert.strictEqual(budget.left, 2)
  })
})
