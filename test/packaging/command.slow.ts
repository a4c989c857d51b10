/** The packed command, as a new user has it, and what comes with the package for those who never call it. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { linkedProject, type Project, projectWith } from "../support/packed.ts"

let project: Project | undefined
afterEach(async () => {
  await project?.dispose()
  project = undefined
})

const packagesIn = (modules: string): ReadonlyArray<string> =>
  readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : [name]
    )
    .toSorted()

/** Compiling and packing take most of it, and npm. */
const INSTALL_TIMEOUT_MS = 300_000

describe("an install for a getter alone", { timeout: INSTALL_TIMEOUT_MS }, () => {
  it("brings Effect and its parts, and nothing of the command's", async () => {
    assert.notProperty(manifest, "dependencies")
    project = await projectWith("clientele", "openai")
    const packages = packagesIn(join(project.folder, "node_modules"))
    const ofEffect = packages.filter((name) => !["clientele", "openai"].includes(name))
    assert.includeMembers(ofEffect, ["effect", "@effect/platform"])
    const expected = [
      "@effect/platform",
      "@standard-schema/spec",
      "effect",
      "fast-check",
      "find-my-way-ts",
      "msgpackr",
      "multipasta",
      "pure-rand"
    ]
    assert.deepStrictEqual(
      ofEffect.filter(
        (name) =>
          !expected.includes(name) &&
          !name.startsWith("@msgpackr-extract/") &&
          !/^(msgpackr-extract|node-gyp-build-optional-packages|detect-libc)$/.test(name)
      ),
      []
    )
  })
})

describe("the packed command", { timeout: INSTALL_TIMEOUT_MS }, () => {
  it("runs from an empty folder, with Effect alone beside it", async () => {
    await using sandbox = await Sandbox.start({ tokens: 4 })
    project = await linkedProject("effect", "@effect/platform")
    const command = (...args: ReadonlyArray<string>) =>
      project!.run(process.execPath, ["node_modules/clientele/dist/cli/main.js", ...args], { OPENAI_API_KEY: "sk-1" })
    project.write("films.csv", "title\nAlien\nBrazil\n")
    project.write("films.json", '[{"title":"Alien"}]')
    project.write(
      "agent.mjs",
      'import * as Effect from "effect/Effect"\nexport default ({ title }) => Effect.succeed(title)'
    )
    const asked = [
      "--model",
      "openai:gpt-5-mini",
      "--base-url",
      sandbox.baseURL("openai"),
      "--prompt",
      "Sum up {{title}}"
    ]
    const runs = [
      await command("run", "films.csv", ...asked, "--out", "out.csv"),
      await command("run", "films.json", ...asked, "--out", "array.jsonl"),
      await command("run", "films.csv", ...asked, "--dry-run", "--max-tokens", "5"),
      await command("run", "films.csv", "--agent", "agent.mjs", "--out", "seen.csv"),
      await command("stats", "out.csv")
    ]
    assert.deepStrictEqual(
      runs.map(({ status, stderr }) => (status === 0 ? 0 : stderr)),
      [0, 0, 0, 0, 0]
    )
    assert.strictEqual(sandbox.stats().requests, 3)
  })

  it("prints its help without Effect", async () => {
    project = await linkedProject()
    const help = (...args: ReadonlyArray<string>) =>
      project!.run(process.execPath, ["node_modules/clientele/dist/cli/main.js", ...args, "--help"])
    const [all, run, stats, doctor] = [await help(), await help("run"), await help("stats"), await help("doctor")]
    assert.match(all.stdout, /^usage: clientele <command>/)
    assert.match(run.stdout, /^usage: clientele run/)
    assert.match(stats.stdout, /^usage: clientele stats/)
    assert.match(doctor.stdout, /^usage: clientele doctor/)
  })

  it("has the licenses of what is bundled", async () => {
    project = await linkedProject()
    const { stdout } = await project.run("cat", ["node_modules/clientele/dist/cli/vendor/THIRD-PARTY-NOTICES.md"])
    const names = [...stdout.matchAll(/^## (\S+) \S+ \((\S+)\)$/gm)].map(([, name, license]) => `${name} ${license}`)
    assert.includeMembers(names, [
      "csv-parse MIT",
      "csv-stringify MIT",
      "gpt-tokenizer MIT",
      "log-update MIT",
      "@streamparser/json MIT"
    ])
    assert.include(stdout, "Permission is hereby granted, free of charge")
  })
})
