/** `redis.ts PORT COUNT`: asks for a budget, says how that went, and leaves everything open. For more than one it stays. */
import * as Connection from "../../../src/internal/quota/redis/connection.ts"
import { makeStore } from "../../../src/internal/quota/redis/makeStore.ts"

const [port, count = "1"] = process.argv.slice(2)
const costs = Array.from({ length: Number(count) }, () => 1)

const connection = Connection.open({ host: "127.0.0.1", port: Number(port), db: 0 })
const store = makeStore(connection.client)
await store.known
await store
  .budget("credential", "model")
  .reserve(costs, { requestsPerMinute: 60, tokensPerMinute: Infinity, burst: 1 })
  .then(
    ({ taken }) => console.log(`taken ${taken}`),
    () => console.log("refused")
  )
if (costs.length > 1) setInterval(() => undefined, 1_000)
