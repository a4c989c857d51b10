/** The tests of budgets in Redis start a real one. Where it is missing and may be installed without asking, it is. */
import { spawnSync } from "node:child_process"

const has = (command: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${command}`], { stdio: "ignore" }).status === 0

const apt = (...args: ReadonlyArray<string>): boolean => {
  // Its service is not wanted: each test runs a server of its own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  return spawnSync("apt-get", ["-qq", ...args], { stdio: ["ignore", "ignore", "inherit"], env }).status === 0
}

/** In containers and CI machines, that is: on Debian and its kin, as root. Elsewhere it says what to do. */
export const provideRedis = (): void => {
  if (has("redis-server")) return
  if (process.getuid?.() === 0 && has("apt-get")) {
    console.log("installing redis-server, which some tests start")
    if (apt("update") && apt("install", "--yes", "--no-install-recommends", "redis-server")) return
  }
  console.log("redis-server is missing, so tests that start it will fail: install it (apt-get install redis-server)")
}
