/** Rewrites the code in texts: fences of Markdown, and examples in comments of derived sources. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { BUILD, ROOT } from "./paths.ts"
import { Rules } from "./rewrite.ts"
import { rules } from "./rules.ts"

const engine = new Rules(rules)

type Replacements = ReadonlyArray<readonly [from: RegExp, to: string]>

/** Words of Effect 3 in prose, and what they are in Effect 4. */
const words: Replacements = [
  [/\[@effect\/ai\]\(\S+?\) \(an optional peer\)/g, "`effect/ai`"],
  [/@effect\/ai(?![-@/\w])/g, "effect/ai"],
  [/@effect\/platform's/g, "Effect's"],
  [/a `MalformedInput` of each call/g, "an `InvalidRequestError` of each call"],
  [/AiErrors that have ours as their `cause`/g, "AiErrors whose `reason` has ours as its `cause`"]
]

/** It has the words of both. */
const COMPARISON = "docs/effect.md"

/** Install lines for the other major. */
const installs: Replacements = [
  [/ clientele@3 effect@3 @effect\/platform@[\d.]+(?: @effect\/ai@[\d.]+)?/g, " clientele effect"],
  [/ vitest@3 @effect\/vitest@[\d.]+/g, " vitest@5 @effect/vitest@4"]
]

const replaced = (text: string, all: Replacements): string =>
  all.reduce((out, [from, to]) => out.replace(from, to), text)

const rewritten = (part: string, text: string): string => {
  const fenced = text.replace(
    /^```ts\n([\s\S]*?)^```/gm,
    (_, code: string) => `\`\`\`ts\n${engine.rewrite("x.ts", code)}\`\`\``
  )
  return replaced(part === COMPARISON ? fenced : replaced(fenced, words), installs)
}

/** The source with its comments for Effect 4: what they say, and their examples. */
export const rewriteComments = (source: string): string =>
  source.replace(/^ *\/\*\*\n(?: *\*.*\n)+? *\*\/$/gm, (comment) =>
    replaced(comment, words).replace(/^( *\* )```ts\n([\s\S]*?)^ *\* ```/gm, (_, edge: string, block: string) => {
      const code = block.replaceAll(/^ *\* ?/gm, "")
      const lines = engine.rewrite("x.ts", code).trimEnd().split("\n")
      return [`${edge}\`\`\`ts`, ...lines.map((line) => `${edge}${line}`.trimEnd()), `${edge}\`\`\``].join("\n")
    })
  )

/** Writes a text, or those of a folder, into the package for Effect 4. */
export const rewriteText = (part: string): void => {
  const from = join(ROOT, part)
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from)) rewriteText(join(part, name))
    return
  }
  const to = join(BUILD, part)
  mkdirSync(dirname(to), { recursive: true })
  if (part.endsWith(".md")) writeFileSync(to, rewritten(part, readFileSync(from, "utf8")))
  else cpSync(from, to)
}
