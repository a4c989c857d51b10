/**
 * Compiles what was built as its users do: a project with one SDK and no other, its libraries checked too, both as an ES
 * module and as CommonJS.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { run } from "./run.ts"

const root = resolve(import.meta.dirname, "..")

const users = [
  { name: "openai", sdk: "openai", type: "OpenAI", getter: "getOpenAIClient" },
  { name: "groq", sdk: "groq-sdk", type: "Groq", getter: "getGroqClient" },
  { name: "cerebras", sdk: "@cerebras/cerebras_cloud_sdk", type: "Cerebras", getter: "getCerebrasClient" }
]

const link = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true })
  symlinkSync(from, to)
}

const folder = mkdtempSync(join(tmpdir(), "clientele-users-"))
let code = 0
try {
  for (const { getter, name, sdk, type } of users) {
    const modules = join(folder, name, "node_modules")
    // No link: from where it really is it would find the other SDKs.
    cpSync(join(root, "dist"), join(modules, "clientele/dist"), { recursive: true })
    cpSync(join(root, "package.json"), join(modules, "clientele/package.json"))
    const others = ["effect", "@effect/platform", "@types/node", "undici-types"]
    for (const one of [sdk, ...others]) link(join(root, "node_modules", one), join(modules, one))
    const program = `
      import { ${type} } from "${sdk}"
      import { ${getter} } from "clientele/promise/${name}"
      export const client: ${type} = ${getter}({ apiKey: "k", timeout: 1000, maxRetries: 1 })
      // @ts-expect-error a number is no key
      ${getter}({ apiKey: 1 })`
    const files = ["app.mts", "app.cts"].map((file) => join(folder, name, file))
    for (const file of files) writeFileSync(file, program)
    const options = "--noEmit --strict --skipLibCheck false --module nodenext --target es2023 --types node"
    const said = run("tsc", ...options.split(" "), "--typeRoots", join(modules, "@types"), ...files)
    console.log(`${name}: ${said === 0 ? "compiles" : "does not compile"}`)
    code ||= said
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(code)
