/** The journal of a run, which is opened before its file of results: that is of the same number where runs stand beside each other. */
import * as Effect from "effect/Effect"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, extname } from "node:path"
import * as Batch from "../../Batch.ts"
import { type CommandError, EXIT, ioReason } from "../exit.ts"
import type { JournalPlan } from "./plan.ts"

/** Runs with one journal's name that may stand beside each other. */
const MAX_RUNS = 1000

/** `out.jsonl` as `out.2.jsonl`; of the first run the name itself. */
export const numbered = (file: string, number: number): string => {
  const end = extname(file)
  return number === 1 ? file : `${file.slice(0, file.length - end.length)}.${number}${end}`
}

export interface OpenedRun {
  readonly number: number
  /** True if the journal was there before. */
  readonly isOld: boolean
}

/** A failed opening, as an error of the run. */
const asBatchError = (error: CommandError): Batch.BatchError =>
  new Batch.BatchError({ reason: error.exitCode === EXIT.usage ? "Options" : "Journal", detail: error.message })

const named = (file: string, { difference = [] }: Batch.BatchError): string =>
  `${file} is of another run: ${difference.map(({ after, before, field }) => `${field} was ${before} and is ${after}`).join("; ")}`

const LINE_FEED = 0x0a

/** Removes a journal without a record, so that the next run is a first one as well. */
const discard = (path: string): void => {
  try {
    const content = readFileSync(path)
    if (content.indexOf(LINE_FEED) === content.length - 1) rmSync(path)
  } catch {
    // It is gone, or stays as it is.
  }
}

/** `onOpen` is called with the lock held. A journal that was begun for a run that it refuses is removed. */
export const runJournal = (
  { file, fsync, whenChanged }: JournalPlan,
  onOpen: (run: OpenedRun) => Effect.Effect<void, CommandError>
): Batch.Journal => {
  const openAt = (identity: Batch.AgentIdentity, number: number): ReturnType<Batch.Journal["open"]> =>
    Effect.suspend(() => {
      const path = numbered(file, number)
      const isOld = existsSync(path)
      try {
        mkdirSync(dirname(path), { recursive: true })
      } catch (error) {
        return new Batch.BatchError({ reason: "Journal", detail: `can't write ${path}: ${ioReason(error)}` })
      }
      return Batch.journal(path, { fsync })
        .open(identity)
        .pipe(
          Effect.tap(() =>
            Effect.mapError(onOpen({ number, isOld }), (error) => {
              if (!isOld) discard(path)
              return asBatchError(error)
            })
          ),
          Effect.catchIf(
            ({ reason }) => reason === "Changed",
            (error) => {
              if (whenChanged === "new" && number < MAX_RUNS) return openAt(identity, number + 1)
              const detail = `${named(path, error)}. Choose another --out, or add --new to begin anew beside it`
              return new Batch.BatchError({ reason: "Changed", detail, difference: error.difference })
            }
          )
        )
    })
  return { open: (identity) => openAt(identity, 1) }
}
