/** The requests of the matrix, through any provider's own SDK or without it. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { ClientConfig } from "../../src/ClientConfig.ts"
import type { ClientError } from "../../src/ClientError.ts"
import type { ClientMap } from "../../src/ClientMap.ts"
import { type Chat, question, type Subject } from "../support/providers.ts"
import type { Door } from "../direct/doors.ts"
import type { Outcome } from "./expected.ts"

/**
 * `chat` and `stream` are generation; `stored` leaves something behind, so it must not be repeated, and `keyed` does too,
 * but its caller has given it a key.
 */
export type Kind = "chat" | "stream" | "stored" | "keyed"

/** The method that all SDKs have for paths without a method of their own. */
interface Posting {
  post(
    path: string,
    options: { readonly body: object; readonly headers?: Record<string, string> }
  ): PromiseLike<unknown>
}

interface Piece {
  readonly choices?: ReadonlyArray<{
    readonly delta?: { readonly content?: string | null }
    readonly message?: { readonly content?: string }
  }>
}

const textOf = (piece: unknown): string => {
  const choice = (piece as Piece | null)?.choices?.[0]
  return choice?.message?.content ?? choice?.delta?.content ?? ""
}

const text = (
  subject: Subject,
  config: ClientConfig,
  kind: Kind,
  id: string,
  own: AbortSignal | undefined
): Effect.Effect<string, ClientError, ClientMap> => {
  const body = { ...question("hello"), model: id }
  switch (kind) {
    case "chat":
      return Effect.map(
        subject.use(config, (client) => client.chat.completions.create(body, own === undefined ? {} : { signal: own })),
        textOf
      )
    case "stream":
      return Stream.runFold(
        subject.streamWith(config, (client) => client.chat.completions.create({ ...body, stream: true })),
        "",
        (all, piece) => all + textOf(piece)
      )
    case "stored":
    case "keyed": {
      const headers = kind === "keyed" ? { "Idempotency-Key": id } : {}
      return Effect.map(
        subject.use(config, (client: Chat) =>
          (client as unknown as Posting).post("/batches", { body: { model: id, stored: kind === "stored" }, headers })
        ),
        textOf
      )
    }
  }
}

/** The same through a door that takes no SDK's client. */
const textBy = (
  door: Door,
  config: ClientConfig,
  kind: Kind,
  id: string
): Effect.Effect<string, ClientError, ClientMap> => {
  const body = { ...question("hello"), model: id }
  switch (kind) {
    case "chat":
      return Effect.map(door.chat(config, body), textOf)
    case "stream":
      return Stream.runFold(door.chatStream(config, body), "", (all, piece) => all + textOf(piece))
    case "stored":
    case "keyed": {
      const idempotencyKey = kind === "keyed" ? id : undefined
      const stored = { model: id, stored: kind === "stored" }
      const request = { method: "POST", path: "/batches", body: stored, idempotencyKey } as const
      return Effect.map(door.request(config, request), textOf)
    }
  }
}

export const askBy = (
  door: Door,
  config: ClientConfig,
  kind: Kind,
  id: string,
  wanted: string | undefined
): Effect.Effect<Outcome, never, ClientMap> => outcome(textBy(door, config, kind, id), wanted)

/** Never fails: a failure is an outcome too. */
export const ask = (
  subject: Subject,
  config: ClientConfig,
  kind: Kind,
  id: string,
  wanted: string | undefined,
  own?: AbortSignal
): Effect.Effect<Outcome, never, ClientMap> => outcome(text(subject, config, kind, id, own), wanted)

const outcome = (
  text: Effect.Effect<string, ClientError, ClientMap>,
  wanted: string | undefined
): Effect.Effect<Outcome, never, ClientMap> =>
  Effect.map(
    Effect.either(text),
    Either.match({
      onLeft: (error): Outcome => ({ type: "error", error }),
      onRight: (text): Outcome => ({ type: "answer", text, wanted })
    })
  )
