/** Rows of any kind, a few at a time. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { BatchError } from "../errors.ts"
import { failureOfPull, toPull } from "../../util/pullStream.ts"

/** Gives the next rows, at most `max` of those that are made one by one; `undefined` after the last. */
export type RowSource<E, R> = (max: number) => Effect.Effect<ReadonlyArray<unknown> | undefined, BatchError | E, R>

type Rows<E, R> = Stream.Stream<unknown, E, R> | Iterable<unknown> | AsyncIterable<unknown>

const inputError = (cause: unknown): BatchError =>
  new BatchError({
    reason: "Input",
    detail: `reading the rows failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause
  })

const isStream = <E, R>(rows: Rows<E, R>): rows is Stream.Stream<unknown, E, R> => Stream.StreamTypeId in rows

const ofStream = <E, R>(stream: Stream.Stream<unknown, E, R>): Effect.Effect<RowSource<E, R>, never, Scope.Scope | R> =>
  Effect.map(toPull(stream), (pull) => () => {
    const rows: Effect.Effect<ReadonlyArray<unknown> | undefined, Option.Option<E>, R> = pull
    return Effect.catchAllCause(rows, (cause) =>
      Option.match(failureOfPull(cause), {
        onNone: () => Effect.succeed(undefined),
        onSome: (cause) => Effect.failCause(cause)
      })
    )
  })

/** Ends an iteration that is broken off. Bounded by nobody else, so it is not waited for. */
const returned = (iterator: { readonly return?: (() => unknown) | undefined }): Effect.Effect<void> =>
  Effect.sync(() => {
    try {
      const ending = iterator.return?.()
      if (ending instanceof Promise) ending.catch(() => undefined)
    } catch {
      // Its rows are no longer wanted.
    }
  })

/** The iteration is over, by itself or by an error, and needs no `return`. */
interface Iteration<I> {
  readonly iterator: I
  isOver: boolean
  /** Thrown after rows that are given first. */
  error: unknown
}

const iteration = <I extends { readonly return?: (() => unknown) | undefined }>(
  begin: () => I
): Effect.Effect<Iteration<I>, BatchError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: (): Iteration<I> => ({ iterator: begin(), isOver: false, error: undefined }),
      catch: inputError
    }),
    ({ isOver, iterator }) => (isOver ? Effect.void : returned(iterator))
  )

const nextRows = (state: Iteration<Iterator<unknown>>, max: number): ReadonlyArray<unknown> | undefined => {
  const rows: Array<unknown> = []
  try {
    while (!state.isOver && rows.length < max) {
      const { done, value } = state.iterator.next()
      if (done === true) state.isOver = true
      else rows.push(value)
    }
  } catch (error) {
    state.isOver = true
    state.error = error
  }
  if (rows.length > 0) return rows
  if (state.error !== undefined) throw state.error
  return undefined
}

const ofIterable = (rows: Iterable<unknown>): Effect.Effect<RowSource<never, never>, BatchError, Scope.Scope> =>
  Effect.map(
    iteration(() => rows[Symbol.iterator]()),
    (state) => (max) => Effect.try({ try: () => nextRows(state, max), catch: inputError })
  )

const ofAsyncIterable = (
  rows: AsyncIterable<unknown>
): Effect.Effect<RowSource<never, never>, BatchError, Scope.Scope> =>
  Effect.map(
    iteration(() => rows[Symbol.asyncIterator]()),
    (state) => () =>
      Effect.tryPromise({
        try: async () => {
          if (state.isOver) return undefined
          const { done, value } = await state.iterator.next()
          if (done !== true) return [value as unknown]
          state.isOver = true
          return undefined
        },
        catch: (error) => {
          state.isOver = true
          return inputError(error)
        }
      })
  )

export const make = <E, R>(rows: Rows<E, R>): Effect.Effect<RowSource<E, R>, BatchError, Scope.Scope | R> => {
  const isObject = typeof rows === "object" && rows !== null
  if (isObject && isStream(rows)) return ofStream(rows)
  if (isObject && Symbol.asyncIterator in rows) return ofAsyncIterable(rows)
  if (isObject && Symbol.iterator in rows) return ofIterable(rows)
  return new BatchError({ reason: "Options", detail: "rows are no Stream, iterable or async iterable" })
}
