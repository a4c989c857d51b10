/** The package beside another Effect than its own, and under another Node: one sentence says what to do. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { INSTALL, NODE } from "../../src/internal/install/requirements.ts"
import { byCommand } from "./lines.ts"
import { emptyProject, install, type Project, projectWith } from "../support/packed.ts"

const root = resolve(import.meta.dirname, "../..")
const read = (file: string): string => readFileSync(join(root, file), "utf8")
const manifest = JSON.parse(read("package.json")) as {
  readonly exports: Readonly<Record<string, unknown>>
  readonly engines: { readonly node: string }
  readonly peerDependencies: Readonly<Record<string, string>>
}
const readme = read("README.md")

/** Needs @effect/ai, which is itself for Effect 3 alone, or ioredis. */
const others = /Model$|ToolLoop|QuotaRedis|Cerebras|cerebras/
const paths = Object.keys(manifest.exports).filter((path) => !/json$|\*/.test(path) && !others.test(path))
const names = paths.map((path) => `clientele${path.slice(1)}`)

/** Packages of `npm install effect@3 ...`. */
const pinned = INSTALL.split(" ").slice(2)

const sentence =
  /^clientele needs Effect 3 \(3\.22 or later\), and finds effect 4\.\d+\.\d+: run npm install effect@3 @effect\/platform@0\.97, or npm install clientele@4 for Effect 4$/

/** Reported under Jest too, unless Node runs it with `--experimental-vm-modules`. */
const withoutRequire =
  "clientele has ES modules, which require can't load here: run Jest by node --experimental-vm-modules, on Node 24.9 or later"

/** As the README has it, which names no folder. */
const generic = (text: string): string =>
  text.replace(/'\/[^']*?\/node_modules/, "'.../node_modules").replace(/ \/\S*?\/node_modules/, " .../node_modules")

/** Prints the first line of each path's error. `how` loads `name`. */
const program = (how: string) => `
  const told = {}
  for (const name of ${JSON.stringify(names.filter((name) => name !== "clientele/register"))}) {
    try { ${how}; told[name] = "loaded" } catch (error) { told[name] = error.message.split("\\n")[0] }
  }
  console.log(JSON.stringify(told))`

const runIn = (project: Project) => (command: string) => project.run("npx", ["--no-install", "clientele", command])

describe("beside Effect 4", () => {
  let project: Project

  // A user who leaves out the `@3`, which is what npm's `latest` still is for its companion.
  beforeAll(async () => {
    project = await projectWith("clientele", "effect", "@effect/platform", "openai", "groq-sdk")
  }, 300_000)
  afterAll(() => project.dispose())

  it("each ES module fails with a file's name that is the command to run, as the README has it", async () => {
    project.write("import.mjs", program("await import(name)"))
    const { stdout } = await project.run(process.execPath, ["import.mjs"])
    const told = Object.entries(JSON.parse(stdout) as Record<string, string>)
    assert.strictEqual(told.length, names.length - 1)
    for (const [name, text] of told) assert.include(readme, `\`${generic(text)}\``, name)
  })

  it("each module for require fails with the command to run", async () => {
    project.write("require.cjs", program("require(name)"))
    const { stdout } = await project.run(process.execPath, ["require.cjs"])
    const told = Object.entries(JSON.parse(stdout) as Record<string, string>)
    assert.strictEqual(told.length, names.length - 1)
    for (const [name, text] of told) assert.match(text, sentence, name)
    assert.include(readme, told[0]![1].split(":")[0]!.replace(/4\.\d+\.\d+/, "4.1.0"))
  })

  it("clientele/register prints it when an SDK is loaded, and nothing without one", async () => {
    project.write("sdk.mjs", `import "openai"`)
    project.write("none.mjs", "")
    const run = (file: string) => project.run(process.execPath, ["--import", "clientele/register", file])
    const [sdk, none] = [await run("sdk.mjs"), await run("none.mjs")]
    assert.strictEqual(sdk.status, 1)
    assert.match(
      sdk.stderr
        .split("\n")
        .find((line) => line.startsWith("Error: "))
        ?.slice(7) ?? "",
      sentence
    )
    assert.deepStrictEqual(none, { status: 0, stdout: "", stderr: "" })
  })

  it("the command line prints it in one line, and clientele doctor in its list", async () => {
    const run = runIn(project)
    const sandbox = await run("sandbox")
    assert.strictEqual(sandbox.status, 1)
    assert.match(sandbox.stderr.trim(), sentence)
    const doctor = await run("doctor")
    assert.strictEqual(doctor.status, 1)
    const [problems, fine] = [true, false].map((bad) =>
      doctor.stdout.split("\n").filter((line) => line !== "" && line.startsWith("PROBLEM") === bad)
    ) as [Array<string>, Array<string>]
    assert.deepStrictEqual([problems.length, sentence.test(problems[0]!.slice(9))], [1, true])
    const seen = fine.map((line) => line.split(/ +/).slice(0, 2).join(" ")).sort()
    assert.includeMembers(seen, ["ok Node", "ok openai", "ok groq-sdk", "none ioredis"])
  })

  it("the printed remedy works, and then an outdated Node is reported", { timeout: 300_000 }, async () => {
    const { status, stderr } = await install(project, ...pinned)
    assert.strictEqual(status, 0, stderr)
    project.write("import.mjs", program("await import(name)"))
    project.write("require.cjs", program("require(name)"))
    project.write("sdk.mjs", "")
    const old = `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.18.0" } })`
    const told = async (file: string, ...args: ReadonlyArray<string>) => {
      const { stdout } = await project.run(process.execPath, [...args, file])
      return [...new Set(Object.values(JSON.parse(stdout) as Record<string, string>))]
    }
    const tooOld = "clientele needs Node 22.19 or later, and this is Node 22.18.0: install a newer Node"
    assert.deepStrictEqual(await told("import.mjs"), ["loaded"])
    assert.deepStrictEqual(await told("require.cjs"), ["loaded"])
    assert.deepStrictEqual(await told("import.mjs", "--import", old), [tooOld])
    assert.deepStrictEqual(await told("require.cjs", "--import", old), [tooOld])
    // A Node whose `require` takes no ES modules.
    assert.deepStrictEqual(await told("require.cjs", "--no-experimental-require-module", "--import", old), [tooOld])
    assert.deepStrictEqual(await told("require.cjs", "--no-experimental-require-module"), [withoutRequire])
    const registered = await project.run(process.execPath, [
      "--import",
      old,
      "--import",
      "clientele/register",
      "sdk.mjs"
    ])
    assert.strictEqual(registered.status, 1)
    assert.include(registered.stderr, `Error: ${tooOld}\n`)
    assert.include(readme, tooOld.split(",")[0]!)
    assert.include(readme, withoutRequire.split(":")[0]!)
  })

  it("clientele doctor names an SDK out of range, and another Effect in the project", async () => {
    const doctor = async (cwd: string) => {
      const program = `process.chdir(${JSON.stringify(cwd)}); process.argv.splice(1, 1, "clientele", "doctor"); await import(${JSON.stringify(main)})`
      const { status, stdout } = await project.run(process.execPath, ["--input-type=module", "-e", program, "x"])
      return {
        status,
        problems: stdout.split("\n").flatMap((line) => (line.startsWith("PROBLEM") ? [line.slice(9)] : []))
      }
    }
    const main = join(project.folder, "node_modules/clientele/dist/cli/main.js")
    assert.deepStrictEqual(await doctor(project.folder), { status: 0, problems: [] })
    project.write("app/node_modules/effect/package.json", JSON.stringify({ name: "effect", version: "3.1.0" }))
    const groq = join(project.folder, "node_modules/groq-sdk/package.json")
    writeFileSync(groq, readFileSync(groq, "utf8").replace(/"version": "[^"]+"/, `"version": "0.9.0"`))
    const { problems, status } = await doctor(join(project.folder, "app"))
    assert.strictEqual(status, 1)
    assert.strictEqual(problems.length, 2)
    const range = manifest.peerDependencies["groq-sdk"]
    assert.strictEqual(
      problems[0],
      `clientele needs groq-sdk ${range}, and finds 0.9.0: run npm install "groq-sdk@${range}"`
    )
    assert.match(
      problems[1]!,
      /^clientele resolves effect 3\.\S+, and this folder effect 3\.1\.0: install one for both/
    )
  })

  it("a missing SDK or Effect is reported as the README has it", async () => {
    const told = async (name: string): Promise<string> => {
      project.write("one.mjs", `await import("${name}").catch((error) => console.log(error.message))`)
      return generic((await project.run(process.execPath, ["one.mjs"])).stdout.trim())
    }
    const sdk = await told("clientele/CerebrasClient")
    const openai = sdk.replace("@cerebras/cerebras_cloud_sdk", "openai").replace("CerebrasClient", "OpenAiClient")
    assert.notStrictEqual(openai, sdk)
    assert.include(readme, `\`${openai}\``)
    rmSync(join(project.folder, "node_modules/effect"), { recursive: true })
    assert.include(readme, `\`${await told("clientele/promise/openai")}\``)
    project.write("one.cjs", `require("clientele/promise/openai")`)
    const { stderr } = await project.run(process.execPath, ["one.cjs"])
    assert.include(stderr, `Error: clientele needs Effect 3, and finds no effect: run ${INSTALL}\n`)
  })

  it(
    "a package.json that requires it keeps npm from installing this package, as the README has it",
    { timeout: 300_000 },
    async () => {
      const other = emptyProject({ type: "module", dependencies: { effect: "^4.0.0" } })
      try {
        const { status, stderr } = await install(other, "clientele")
        assert.strictEqual(status, 1)
        assert.include(stderr, "npm error ERESOLVE")
        const peer = /peer effect@"\S+" from clientele/.exec(stderr)?.[0]
        assert.include(readme, `\`npm error ERESOLVE\` with \`${peer}\``)
      } finally {
        await other.dispose()
      }
    }
  )
})

describe("requirements", () => {
  it("are those of package.json, and of the install lines", () => {
    assert.strictEqual(manifest.engines.node, `>=${NODE}`)
    assert.include(readme, `\`${INSTALL}\``)
    assert.include(read("src/internal/install/check.cts"), `needs Node ${NODE} or later`)
    const pinned = new Map(
      INSTALL.split(" ")
        .slice(2)
        .map((spec) => spec.split(/(?<=.)@/) as [string, string])
    )
    for (const [name, version] of pinned) {
      assert.isTrue(manifest.peerDependencies[name]?.startsWith(`^${version}.`), name)
      for (const { command } of byCommand) {
        const specs = command.split(" ").filter((spec) => spec === name || spec.startsWith(`${name}@`))
        for (const spec of specs) assert.strictEqual(spec, `${name}@${version}`)
      }
    }
  })
})
