/** Rewrites the code in texts: fences of Markdown, and examples in comments of derived sources. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { BUILD, ROOT } from "./paths.ts"
import { Rules } from "./rewrite.ts"
import { rules } from "./rules.ts"

const engine = new Rules(rules)

/** Install lines and versions for the other major. */
const replacements: ReadonlyArray<readonly [from: RegExp, to: string]> = [
  [/ clientele@3 effect@3 @effect\/platform@[\d.]+(?: @effect\/ai@[\d.]+)?/g, " clientele effect"],
  // Versions of the changelog: 4.n.p is made from 3.n.p.
  [/^## 3(?=\.\d+\.\d+$)/gm, "## 4"],
  [/ vitest@3 @effect\/vitest@[\d.]+/g, " vitest@5 @effect/vitest@4"]
]

const rewritten = (text: string): string => {
  const fenced = text.replace(
    /^```ts\n([\s\S]*?)^```/gm,
    (_, code: string) => `\`\`\`ts\n${engine.rewrite("x.ts", code)}\`\`\``
  )
  return replacements.reduce((all, [from, to]) => all.replace(from, to), fenced)
}

/** Writes a text, or those of a folder, into the package for Effect 4. */
export const rewriteText = (part: string): void => {
  const from = join(ROOT, part)
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from)) rewriteText(join(part, name))
    return
  }
  const to = join(BUILD, part)
  mkdirSync(dirname(to), { recursive: true })
  if (part.endsWith(".md")) writeFileSync(to, rewritten(readFileSync(from, "utf8")))
  else cpSync(from, to)
}
