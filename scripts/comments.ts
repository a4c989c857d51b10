/**
 * `npm run check`: openings of comments. A comment begins with a noun phrase or a verb, so that its first word says what the
 * code below is or does; questions, pronouns and genitives make readers wait for that.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import ts from "typescript"

const FORBIDDEN =
  /^(?:What|Who|Whom|Whose|Whoever|Whatever|Whether|How|Where|Wherever|Why|Those|Of|(?:After|By|For|From|In|To|Under) which)\b/

const folders = ["src", "scripts", "test", "bench", "examples", "soak"]

/** First words of a comment, without its marks. */
const opening = (comment: string): string => comment.replace(/^(?:\/\*+|\/\/)\s*(?:\*\s*)?/, "")

/** One line for each comment of a file with such an opening. */
export const forbiddenIn = (file: string, text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const seen = new Set<number>()
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const look = (ranges: ReadonlyArray<ts.CommentRange> | undefined): void => {
    for (const { end, pos } of ranges ?? []) {
      if (seen.has(pos)) continue
      seen.add(pos)
      const words = opening(text.slice(pos, end))
      if (!FORBIDDEN.test(words)) continue
      const line = source.getLineAndCharacterOfPosition(pos).line + 1
      found.push(`${file}:${line}: begin with a noun or a verb: "${words.split(/\s+/, 6).join(" ")} ..."`)
    }
  }
  const visit = (node: ts.Node): void => {
    look(ts.getLeadingCommentRanges(text, node.getFullStart()))
    look(ts.getTrailingCommentRanges(text, node.getEnd()))
    for (const child of node.getChildren(source)) visit(child)
  }
  visit(source)
  return found
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..")
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.[cm]?ts$/.test(file))
      .map((file) => join(folder, file))
  )
  const found = files.toSorted().flatMap((file) => forbiddenIn(file, readFileSync(join(root, file), "utf8")))
  for (const line of found) console.error(line)
  console.log(`${files.length} files, ${found.length} comments with a forbidden opening`)
  process.exitCode = found.length > 0 ? 1 : 0
}
