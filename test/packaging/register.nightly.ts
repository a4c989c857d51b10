/** Mastra and OpenAI's Agents, which are much to install: what `register.slow.ts` is for the AI SDK and LlamaIndex. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Project, projectWith } from "../support/packed.ts"
import { AGENTS, BOUND, peers, registered } from "../support/registered.ts"

let project: Project

const openaiAgents = `
  import { Agent, run, setTracingDisabled } from "@openai/agents"
  setTracingDisabled(true)
  const agent = async (_, i) => (await run(new Agent({ name: "a" + i, model: "gpt-5-mini" }), "hi")).finalOutput
  const answers = await Promise.all(Array.from({ length: ${AGENTS - 1} }, agent))
  const streamed = await run(new Agent({ name: "s", model: "gpt-5-mini" }), "hi", { stream: true })
  let text = ""
  for await (const part of streamed.toTextStream()) text += part
  console.log(new Set([...answers, text]).size)`

const mastra = `
  import { createOpenAI } from "@ai-sdk/openai"
  import { Agent } from "@mastra/core/agent"
  const models = [createOpenAI().chat("gpt-5-mini"), "openai/gpt-5-mini"]
  const agent = async (_, i) => {
    const agent = new Agent({ id: "a" + i, name: "a" + i, instructions: "Be short", model: models[i % 2] })
    return (await agent.generate("hi")).text
  }
  const answers = await Promise.all(Array.from({ length: ${AGENTS} }, agent))
  console.log(answers.filter((text) => text.length > 0).length)`

beforeAll(async () => {
  project = await projectWith(...peers, "@mastra/core@1", "@ai-sdk/openai@4", "@openai/agents@0.20", "zod@4")
  project.write("mastra.mjs", mastra)
  project.write("agents.mjs", openaiAgents)
}, 600_000)

afterAll(() => project?.dispose(), 300_000)

describe("with clientele/register, from the tarball", () => {
  for (const opted of [false, true]) {
    it(`agents of Mastra are ${opted ? "pooled with CLIENTELE_FETCH=1" : "not pooled, with a warning"}`, async () => {
      await using sandbox = await Sandbox.start({ protocol: "http/1.1", latency: 50, logSize: 0 })
      const ended = await registered(project, "mastra.mjs", sandbox, opted ? { CLIENTELE_FETCH: "1" } : {})
      assert.deepStrictEqual(
        { status: ended.status, stdout: ended.stdout },
        { status: 0, stdout: `${AGENTS}\n` },
        ended.stderr
      )
      const { connections, requests } = sandbox.stats()
      assert.strictEqual(requests, AGENTS)
      if (opted) {
        assert.isAtMost(connections.total, BOUND)
        assert.match(ended.stderr, new RegExp(`${sandbox.origin} +pooled +1 +${AGENTS} +${connections.peak}\\n`))
        assert.notInclude(ended.stderr, "not pooled")
      } else {
        assert.isAbove(connections.total, BOUND)
        assert.include(ended.stderr, `requests to ${sandbox.origin} by fetch (`)
      }
    }, 120_000)
  }

  it("agents of @openai/agents are pooled", async () => {
    await using sandbox = await Sandbox.start({ protocol: "http/1.1", latency: 50, logSize: 0 })
    const ended = await registered(project, "agents.mjs", sandbox, {})
    assert.deepStrictEqual({ status: ended.status, stdout: ended.stdout }, { status: 0, stdout: "1\n" }, ended.stderr)
    const { connections, requests } = sandbox.stats()
    assert.strictEqual(requests, AGENTS)
    assert.isAtMost(connections.total, BOUND)
    assert.match(ended.stderr, new RegExp(`${sandbox.origin} +pooled +1 +${AGENTS} +${connections.peak}\\n`))
    assert.notInclude(ended.stderr, "not pooled")
  }, 120_000)
})
