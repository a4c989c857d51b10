/**
 * Each install line of README and docs, run as it stands in an empty folder with what npm has today, and the snippets and
 * commands below it, up to the next heading, run against the sandbox.
 */
import { globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { assert } from "vitest"
import * as Sandbox from "../../src/testing/Sandbox.ts"
import { type Ended, emptyProject, type Project, tarball, tarballFor4 } from "../support/packed.ts"

const root = resolve(import.meta.dirname, "../..")

export interface Line {
  readonly command: string
  readonly snippets: ReadonlyArray<string>
  /** Lines that run this package's command. */
  readonly runs: ReadonlyArray<string>
}

const linesOf = (file: string): ReadonlyArray<Line> =>
  readFileSync(join(root, file), "utf8")
    .split(/^(?=##? )/m)
    .flatMap((section) => {
      const [, ...parts] = section.split(/^ {4}(?=npm install )/m)
      return parts.map((part) => ({
        command: part.split("\n", 1)[0]!,
        snippets: [...part.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!),
        runs: [...part.matchAll(/^ {4}(npx clientele run .+)$/gm)].map((match) => match[1]!)
      }))
    })

export const lines = ["README.md", ...globSync("docs/*.md", { cwd: root })].flatMap(linesOf)

/** A line that stands in several places is run once, with the snippets of all of them. */
export const byCommand: ReadonlyArray<Line> = [...new Set(lines.map(({ command }) => command))].map((command) => ({
  command,
  snippets: lines.flatMap((line) => (line.command === command ? line.snippets : [])),
  runs: [...new Set(lines.flatMap((line) => (line.command === command ? line.runs : [])))]
}))

/** Added to a snippet that defines something and does not run it, by what it defines. */
const driven: ReadonlyArray<readonly [defines: RegExp, call: string]> = [
  [/^(const answers = )?await /m, ""],
  [
    /^const program = /m,
    `import { layer } from "clientele/ClientLayer"\nawait Effect.runPromise(Effect.provide(program, layer()))`
  ],
  [
    /^export const agent = /m,
    `import { layer } from "clientele/ClientLayer"\nconsole.log(await Effect.runPromise(Effect.provide(agent("Alien"), layer())))`
  ],
  [/^const agent = async /m, `console.log(await agent("Alien"))`],
  [
    /^export const agent = /m,
    `import { layer } from "clientele/ClientLayer"\nawait Effect.runPromise(Effect.provide(agent("Alien"), layer()))`
  ],
  [/^const main = /m, `console.log(await Effect.runPromise(main))`],
  [/^const test = /m, `await Effect.runPromise(test)`],
  [/^export class Agent /m, `console.log(await new Agent().answer("Is it out?"))`]
]

/** With one substitution: the gateway of the README's example is the sandbox. */
const programOf = (snippet: string, sandbox: Sandbox.Sandbox): string => {
  const call = driven.find(([defines]) => defines.test(snippet))?.[1]
  if (call === undefined) throw new Error(`nothing here says how to run this snippet:\n${snippet}`)
  return `${snippet}\n${call}\n`.replaceAll("https://gateway.example.com/v1", sandbox.baseURL("openai"))
}

const environment = (sandbox: Sandbox.Sandbox) => ({
  OPENAI_API_KEY: "sk-test",
  OPENAI_BASE_URL: sandbox.baseURL("openai"),
  GROQ_API_KEY: "gsk-test",
  GROQ_BASE_URL: sandbox.baseURL("groq")
})

const expectSuccess = (ended: Ended, what: string): string => {
  assert.deepInclude(ended, { status: 0 }, `${what}\n${ended.stdout}\n${ended.stderr}`)
  return ended.stdout
}

/** The tarball that npm would find: that of Effect 4 where the line has no version. */
const packed = ({ command }: Line): Promise<string> => (/ clientele@3 /.test(command) ? tarball() : tarballFor4())

/** Packs what lines install, apart from the time of their tests. */
export const pack = async (): Promise<void> => {
  await tarball()
  await tarballFor4()
}

/** Fails unless the line installs what the snippets below it need, all of it in range. */
export const tryLine = async (line: Line): Promise<void> => {
  const project = emptyProject()
  try {
    const command = line.command.replace(/ clientele\S* /, ` ${await packed(line)} `)
    assert.notStrictEqual(command, line.command)
    const quiet = { npm_config_audit: "false", npm_config_fund: "false", npm_config_prefer_offline: "true" }
    const ended = await project.run("sh", ["-c", command], quiet)
    expectSuccess(ended, line.command)
    assert.notMatch(ended.stderr, /ERESOLVE|EBADENGINE/)
    // Fails for a peer that is missing or out of range.
    expectSuccess(await project.run("npm", ["ls", "--all"]), "npm ls")
    const doctor = await project.run("npx", ["--no-install", "clientele", "doctor"])
    assert.notMatch(expectSuccess(doctor, "clientele doctor"), /PROBLEM/)
    assert.isAbove(line.snippets.length + line.runs.length, 0)
    for (const [i, snippet] of line.snippets.entries()) await trySnippet(project, snippet, i)
    for (const command of line.runs) await tryRun(project, command)
  } finally {
    await project.dispose()
  }
}

const tryRun = async (project: Project, command: string): Promise<void> => {
  await using sandbox = await Sandbox.start()
  project.write("films.csv", "title\nAlien\nBrazil\n")
  // Each sandbox has an address of its own, which would be another run.
  const anew = `rm -f results.*; ${command}`
  expectSuccess(await project.run("sh", ["-c", anew], environment(sandbox)), command)
  assert.strictEqual(sandbox.stats().requests, 2, command)
}

const trySnippet = async (project: Project, snippet: string, index: number): Promise<void> => {
  await using sandbox = await Sandbox.start()
  if (snippet.includes('from "vitest"')) {
    project.write("agent.test.ts", snippet)
    const vitest = ["--no-install", "vitest", "run", "--testTimeout", "120000"]
    expectSuccess(await project.run("npx", vitest), snippet)
    return
  }
  const file = `snippet${index}.ts`
  project.write(file, programOf(snippet, sandbox))
  expectSuccess(await project.run(process.execPath, [file], environment(sandbox)), snippet)
  if (!snippet.includes("Sandbox.make")) assert.isAbove(sandbox.stats().requests, 0, snippet)
}
