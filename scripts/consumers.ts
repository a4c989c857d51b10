/**
 * Compiles what was built as its users do, its libraries checked too, both as an ES module and as CommonJS: a project with
 * one SDK and no other, and one that imports every path.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { run } from "./run.ts"

const root = resolve(import.meta.dirname, "..")

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
}

/** The compiler's ideas of Node: in the older one CommonJS may not `require` an ES module. */
type Mode = "node16" | "nodenext"

const users = [
  { name: "openai", sdk: "openai", type: "OpenAI", getter: "getOpenAIClient", api: "OpenAiApi" },
  { name: "groq", sdk: "groq-sdk", type: "Groq", getter: "getGroqClient", api: "GroqApi" },
  {
    name: "cerebras",
    sdk: "@cerebras/cerebras_cloud_sdk",
    type: "Cerebras",
    getter: "getCerebrasClient",
    api: "CerebrasApi"
  }
]

/** Calls of the APIs, whose types are an SDK's, or none where it is not installed. */
const calls = (api: string): string => `
      import * as ${api} from "clientele/${api}"
      export const answer = ${api}.chat(undefined, { model: "m", messages: [{ role: "user", content: "hi" }] })
      export const chunks = ${api}.chatStream(undefined, { model: "m", messages: [{ role: "user", content: "hi" }] })`

const link = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(from, to)
}

const folder = mkdtempSync(join(tmpdir(), "clientele-users-"))

/** Compiles a program in a project that has these packages and no other. */
const compile = (name: string, program: string, packages: Iterable<string>, mode: Mode): number => {
  const modules = join(folder, name, "node_modules")
  // No link: from where it really is it would find the other SDKs.
  cpSync(join(root, "dist"), join(modules, "clientele/dist"), { recursive: true })
  cpSync(join(root, "package.json"), join(modules, "clientele/package.json"))
  const all = new Set(["effect", "@effect/platform", "@types/node", "undici-types", ...packages])
  for (const one of all) link(join(root, "node_modules", one), join(modules, one))
  const files = ["app.mts", "app.cts"].map((file) => join(folder, name, file))
  for (const file of files) writeFileSync(file, program)
  const options = `--noEmit --strict --skipLibCheck false --module ${mode} --target es2023 --types node`
  const code = run("tsc", ...options.split(" "), "--typeRoots", join(modules, "@types"), ...files)
  console.log(`${name}, ${mode}: ${code === 0 ? "compiles" : "does not compile"}`)
  return code
}

/** Asks each path for a name that it does not have, so that one that resolves to nothing is an error. */
const everything = (): string => {
  const paths = Object.keys(manifest.exports).filter((path) => !/json$|\*|register$/.test(path))
  const imports = paths.map((path, i) => `import * as m${i} from "clientele${path.slice(1)}"`)
  const members = paths.map((path, i) => `  // @ts-expect-error ${path} has its own names\n  m${i}.nothing`)
  return [
    ...imports,
    `import { getFetch, makeClients, type Clients } from "clientele/Promise"`,
    `import { OptionsError } from "clientele/ClientError"`,
    `export const clients: Clients = makeClients({ maxSockets: 3 })`,
    `export const message = (error: unknown): string => (error instanceof OptionsError ? error.field : "")`,
    `// @ts-expect-error there is no such provider`,
    `getFetch({ provider: "none" })`,
    `export const names = () => [`,
    members.join(",\n"),
    `]`
  ].join("\n")
}

/** Their getters, without an SDK. */
const getters = `
      import { getGroqApi, getOpenAIApi } from "clientele/Promise"
      export const text = async (): Promise<string> => {
        const { choices } = await getGroqApi().chat({ model: "m", messages: [] })
        for await (const chunk of getOpenAIApi().chatStream({ model: "m", messages: [] })) choices.push(chunk)
        return choices[0].message.content
      }`

let code = 0
try {
  for (const { api, getter, name, sdk, type } of users) {
    const program = `
      import { ${type} } from "${sdk}"
      import { ${getter} } from "clientele/promise/${name}"
      export const client: ${type} = ${getter}({ apiKey: "k", timeout: 1000, maxRetries: 1 })
      // @ts-expect-error a number is no key
      ${getter}({ apiKey: 1 })
      ${calls(api)}
      // @ts-expect-error a number is no model
      ${api}.chat(undefined, { model: 1, messages: [] })`
    code ||= compile(name, program, [sdk], "nodenext")
  }
  const none = [...users.map(({ api }) => calls(api).replace(/export const \w+ = /g, "void ")), getters].join("\n")
  code ||= compile("no SDK", none, [], "nodenext")
  code ||= compile("everything", everything(), Object.keys(manifest.peerDependencies), "node16")
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(code)
