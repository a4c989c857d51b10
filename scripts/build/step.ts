/** Types of the build's steps, each in a file of its own in this folder. */

interface Target {
  /** Folder that is filled, dist/ for `npm run build`. */
  readonly out: string
  /** True if types are checked. */
  readonly isChecked: boolean
}

/** Returns an exit code: 0 unless it failed. */
export type Step = (target: Target) => number | Promise<number>
