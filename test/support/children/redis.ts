/** Asks for a budget once, says how that went, and leaves everything open. */
import * as Connection from "../../../src/internal/quota/redis/connection.ts"
import { makeStore } from "../../../src/internal/quota/redis/makeStore.ts"

const connection = Connection.open({ host: "127.0.0.1", port: Number(process.argv[2]), db: 0 })
const store = makeStore(connection.client)
await store.known
await store
  .budget("credential", "model")
  .reserve([1], { requestsPerMinute: 60, tokensPerMinute: Infinity, burst: 1 })
  .then(
    ({ taken }) => console.log(`taken ${taken}`),
    () => console.log("refused")
  )
