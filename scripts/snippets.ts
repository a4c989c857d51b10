/**
 * Compiles every TypeScript snippet of the README and of the sources' `@example`s, so that none can drift from the code.
 * Each is a module of its own, in `.snippets/`, where it stays to be looked at.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { run } from "./run.ts"

const folder = ".snippets"

const fences = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? "")

const docs = (source: string): string =>
  [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].map((match) => match[0].replace(/^ *\* ?/gm, "")).join("\n")

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
let count = 0
for (const file of ["README.md", "SECURITY.md", ...globSync("docs/*.md"), ...globSync("src/**/*.ts")]) {
  const text = readFileSync(file, "utf8")
  fences(file.endsWith(".ts") ? docs(text) : text).forEach((snippet, i) => {
    const name = `${file.replace(/[/.]/g, "_")}_${i + 1}.ts`
    writeFileSync(`${folder}/${name}`, `// ${file}, snippet ${i + 1}\n${snippet}\nexport {}\n`)
    count++
  })
}
writeFileSync(
  `${folder}/tsconfig.json`,
  JSON.stringify({
    extends: "../tsconfig.json",
    compilerOptions: {
      noUnusedLocals: false,
      noUnusedParameters: false,
      tsBuildInfoFile: "../.tsbuildinfo/snippets",
      paths: { clientele: ["../src/index.ts"], "clientele/*": ["../src/*.ts"] }
    },
    include: ["*.ts"]
  })
)
console.log(`${count} snippets`)
process.exitCode = count === 0 ? 1 : run("tsc", "-p", folder)
