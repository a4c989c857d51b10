/** Runs what belongs to a tracer or a meter: what it throws is dropped, since its failure is not the request's. */
export const guarded = (f: () => unknown): void => {
  try {
    f()
  } catch {
    // The request goes on.
  }
}
