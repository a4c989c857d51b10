/**
 * Stands in for a module that `clientele` itself does not have, since it loads an optional library. To the compiler it
 * has no member but the path to import; at run time each use throws an error that names it.
 */
export interface Elsewhere<Path extends string> {
  /** `import * as Name from "clientele/Name"` */
  readonly importItFrom: Path
}

const advice = (name: string): string =>
  `"clientele" does not export ${name}: import * as ${name} from "clientele/${name}"`

export const elsewhere = <Name extends string>(name: Name): Elsewhere<`clientele/${Name}`> =>
  new Proxy<Elsewhere<`clientele/${Name}`>>(
    { importItFrom: `clientele/${name}` },
    {
      get: (target, key) => {
        // Printers and frameworks ask everything for symbols, and `await` asks for `then`.
        if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined
        if (key === "importItFrom") return target.importItFrom
        throw new Error(advice(name))
      }
    }
  )
