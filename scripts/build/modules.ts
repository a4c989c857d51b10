/** Turns the package's modules into JavaScript, one by one, as `isolatedModules` allows. */
import { transform } from "esbuild"
import type { Plugin } from "rollup"
import { markPure } from "./pure.ts"

const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } }

export const marked: Plugin = { name: "marked", transform: markPure }

/** Without comments, which are in the declarations and in the sources. */
export const compiled: Plugin = {
  name: "compiled",
  transform: async (code, file) => {
    const { code: js, map } = await transform(code, {
      loader: "ts",
      sourcefile: file,
      sourcemap: "external",
      target: "es2023",
      tsconfigRaw
    })
    return { code: js, map }
  }
}
