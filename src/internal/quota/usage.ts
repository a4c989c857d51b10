/** How many tokens an answer really cost: nothing is read yet. */
export interface Meter {
  readonly chunk: (bytes: Uint8Array) => void
  readonly total: () => number | undefined
  readonly output: () => number | undefined
}
export const makeMeter = (): Meter => ({ chunk: () => undefined, total: () => undefined, output: () => undefined })
