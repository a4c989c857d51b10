/**
 * Lua scripts that Redis runs: each is atomic, goes by the server's clock, so that the clocks of processes don't
 * matter, and uses one key, a hash of one model of one credential. Redis 5 or later, for a script that asks for the
 * time and writes.
 *
 * All times are microseconds: since 1970 in the hash, where they stay below 2^53 and are written with all their digits
 * (Lua's own `tostring` keeps 14), and from now in replies, which are whole numbers because Redis cuts off fractions.
 *
 * - `requests`, `tokens`: when all that was taken will have been paid for: GCRA (ITU-T I.371, "virtual scheduling"). A
 *   request that comes then may go, and pays after, so that a cost above a minute's limit completes as well. A process
 *   that asks ahead gets the time of each turn, so that a distant server costs no budget.
 * - `closed`: until when a Retry-After keeps the gate closed.
 * - `awaited`: until when a waiting process is expected. One that waited departs by the schedule, not by
 *   when a timer woke it; for one that did not, nothing is saved up.
 * - `ahead`: how far ahead turns are taken, by all as far as by the most distant of late. Otherwise that one would have
 *   taken each turn before it is near enough for the others.
 */
import { createHash } from "node:crypto"

export interface Script {
  readonly lua: string
  /** SHA-1 of `lua`, for `EVALSHA`: Redis caches the script under it after its first run. */
  readonly sha: string
}

const head = `
local key = KEYS[1]
local time = redis.call("TIME")
local now = time[1] * 1000000 + time[2]
local stored = redis.call("HMGET", key, "requests", "tokens", "closed", "awaited", "ahead")
local requests = tonumber(stored[1]) or 0
local tokens = tonumber(stored[2]) or 0
local closed = tonumber(stored[3]) or 0
local awaited = tonumber(stored[4]) or 0
local horizon = tonumber(stored[5]) or 0
`

/** The key expires a minute after it is equivalent to a new one. */
const save = `
local function text(number) return string.format("%.17g", number) end
redis.call("HSET", key, "requests", text(requests), "tokens", text(tokens), "closed", text(closed), "awaited", text(awaited), "ahead", text(horizon))
local last = math.max(now, requests, tokens, closed, awaited)
redis.call("PEXPIRE", key, string.format("%.0f", math.ceil((last - now) / 1000) + 60000))
`

const script = (lua: string): Script => ({ lua, sha: createHash("sha1").update(lua).digest("hex") })

/**
 * Takes for the first requests of a queue as far as the budget goes. ARGV: microseconds for a request and for a token
 * (0 without a limit), the burst, the lateness that is forgiven, tokens a minute, the shortest wait, how far ahead
 * turns are taken, and each one's cost. Replies with the number taken, the wait for the next, the time for which the
 * gate is closed, the tokens left or -1, and to a caller that asks ahead the time that passed unused and the time of
 * each turn.
 */
export const reserve: Script = script(`${head}
local every, each = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead, lateness = tonumber(ARGV[3]) - 1, tonumber(ARGV[4])
local own = tonumber(ARGV[7])
horizon = math.max(own, horizon + (own - horizon) / 64)
local count, taken, wait = #ARGV - 7, 0, 0
local function cost(place) return tonumber(ARGV[7 + place]) * each end
local function due(place)
  local at = closed
  if every > 0 then at = math.max(at, requests - ahead * every) end
  if each > 0 then at = math.max(at, tokens - ahead * cost(place)) end
  return at
end

-- Requests that waited have been ready for that long, but not while the gate was closed.
local ready = now
if now <= awaited then ready = math.max(now - lateness, math.min(now, closed)) end
-- The unused rest of the past when the first comes is lost, if a request waited.
local paid = closed
if every > 0 then paid = math.max(paid, requests) end
if each > 0 then paid = math.max(paid, tokens) end
local idle = 0
if every > 0 or each > 0 then idle = math.max(0, ready - paid) end

-- No turns are granted behind a closed gate: it is opened carefully.
local reach = now
if own > 0 and closed <= now then reach = now + horizon end
local turns = {}
while taken < count and due(taken + 1) <= reach do
  taken = taken + 1
  local turn = due(taken)
  -- A wait for one budget saves up nothing of the other.
  local start = ready
  if turn > now then start = turn end
  turns[taken] = math.ceil(math.max(0, turn - now))
  if every > 0 then requests = math.max(requests, start) + every end
  if each > 0 then tokens = math.max(tokens, start) + cost(taken) end
end

if taken < count then
  -- Several that become due within the shortest wait are taken together.
  wait = due(taken + 1) - reach
  local last = wait
  for place = taken + 1, count - 1 do last = last + math.max(every, cost(place)) end
  wait = math.max(wait, math.min(last, tonumber(ARGV[6])))
  awaited = math.max(awaited, reach + wait + lateness)
end
if count > 0 then ${save} end

local left = -1
if each > 0 then left = math.max(0, math.floor(tonumber(ARGV[5]) - math.max(0, tokens - now) / each + 0.5)) end
local reply = { taken, math.ceil(wait), math.ceil(math.max(0, closed - now)), left }
if own > 0 then
  reply[5] = math.floor(idle)
  for place = 1, taken do reply[5 + place] = turns[place] end
end
return reply
`)

/** Adds microseconds, negative to give back, to what requests and tokens have taken. What has been paid for stays so. */
export const correct: Script = script(`${head}
local function moved(paid, by)
  if by > 0 then return math.max(paid, now) + by end
  return paid + by
end
requests = moved(requests, tonumber(ARGV[1]))
tokens = moved(tokens, tonumber(ARGV[2]))
${save}
return 1
`)

/** Closes the gate for so many microseconds; never shortens. */
export const close: Script = script(`${head}
closed = math.max(closed, now + tonumber(ARGV[1]))
${save}
return 1
`)
