/** Turns the package's modules into JavaScript, one by one, as `isolatedModules` allows. */
import { transform } from "esbuild"
import type { Plugin } from "rollup"
import { markPure } from "./pure.ts"
import { isVendored } from "./vendored.ts"

const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } }

export const marked: Plugin = {
  name: "marked",
  transform: (code, file) => (isVendored(file) ? null : markPure(code, file))
}

/** Without comments, which are in the declarations and in the sources. */
export const compiled: Plugin = {
  name: "compiled",
  transform: async (code, file) => {
    if (isVendored(file)) return null
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
