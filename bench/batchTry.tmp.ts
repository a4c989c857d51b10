import { measure } from "./child.ts"
import { withServer } from "./server.ts"
await withServer(["--protocol", "http/1.1"], async ({ baseURL }) => {
  for (const variant of process.argv.slice(2))
    for (const journal of variant.startsWith("Batch") ? [undefined, "/tmp/b/bench.jsonl"] : [undefined]) {
      const { rmSync } = await import("node:fs")
      for (const s of ["", ".warm"]) rmSync("/tmp/b/bench.jsonl" + s, { force: true })
      console.log(
        variant,
        journal,
        JSON.stringify(
          await measure(
            "batchWorker.ts",
            { variant, baseURL, rows: 20000, atOnce: 64, maxConnections: 64, warmUp: 5000, journal },
            { nodeArgs: ["--expose-gc"] }
          )
        )
      )
    }
})
