/** Defects of RcMap that this line of effect has no more. */
export const mended: ReadonlySet<string> = new Set([
  "stampede: fibers that get one key at once build it several times",
  "invalidated while borrowed, idle time 0: the old borrower's release removes the replacement's entry",
  "invalidated while borrowed, finite idle time: the end of the old value's removes the replacement's entry",
  "invalidated while borrowed, infinite idle time: the old value is never released",
  "a finalizer that dies keeps the others from being released"
])
