/** Defects of RcMap that this line of effect has no more. */
export const mended: ReadonlySet<string> = new Set()
