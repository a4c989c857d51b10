/** Number of schedules: `SCHEDULES=10000` for the long run. */
import fc from "fast-check"

const count = (name: string): number | undefined => {
  const given = process.env[name]
  return given === undefined || given === "" ? undefined : Number(given)
}

const schedules = count("SCHEDULES") ?? 500

/** Milliseconds that so many may take on a busy machine. */
export const patience = 60_000 + schedules * 100

/** A failure prints its seed and path, and the shortest run that fails, unless `SHRINK=0` is for a quick answer. */
export const parameters = <T>(): fc.Parameters<T> => ({
  numRuns: schedules,
  endOnFailure: count("SHRINK") === 0
})

/** Commands of a run, of any length up to `most`; each kind with how often it comes. */
export const commandsOf = <World extends object>(
  most: number,
  kinds: ReadonlyArray<readonly [times: number, kind: fc.Arbitrary<fc.AsyncCommand<World, World>>]>
) =>
  fc.commands(
    kinds.flatMap(([times, kind]) => Array.from({ length: times }, () => kind)),
    { maxCommands: most, size: "max" }
  )

/** A step; where it can't be taken it does nothing, since others run between its check and itself. */
export const step = <World extends object>(
  name: string,
  run: (world: World) => void | Promise<void>
): fc.AsyncCommand<World, World> => ({
  check: () => true,
  run: async (world) => run(world),
  toString: () => name
})
