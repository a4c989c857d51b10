/** The ioredis clients that a store accepts, and the printable part of their errors. */
import type { Cluster, Redis } from "ioredis"

export type Client = Redis | Cluster

const MAX_REASON_CHARACTERS = 200

const passwordsOf = ({ options }: Client): ReadonlyArray<string> => {
  const plain = "redisOptions" in options ? options.redisOptions : options
  if (plain === undefined) return []
  const sentinel = "sentinelPassword" in plain ? plain.sentinelPassword : undefined
  return ["password" in plain ? plain.password : undefined, sentinel].flatMap((password) =>
    typeof password === "string" && password !== "" ? [password] : []
  )
}

/** Connecting to several addresses of one name fails with an error for each, and no message of its own. */
const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.message === "") return messageOf(error.errors[0])
  if (!(error instanceof Error)) return "an error without a message"
  return error.message === "" ? error.name : error.message
}

/**
 * Reason of a failure, without passwords. The error itself is not passed on: ioredis attaches the command to it, with
 * the password if that was AUTH; and Redis itself quotes the arguments of an unknown command.
 */
export const reasonOf = (client: Client, error: unknown): string => {
  let reason = messageOf(error)
  for (const password of passwordsOf(client)) reason = reason.replaceAll(password, "<redacted>")
  return reason.slice(0, MAX_REASON_CHARACTERS)
}
