/** Some tests and benches start real servers. Where one is missing and may be installed without asking, it is. */
import { spawnSync } from "node:child_process"

/** Debian's packages, by the command that they bring. */
const packages: Readonly<Record<string, string>> = { "redis-server": "redis-server", nginx: "nginx-light" }

/** A user's PATH does not have the folder of Debian's servers. */
const has = (command: string): boolean =>
  spawnSync("sh", ["-c", `PATH="$PATH:/usr/sbin" command -v ${command}`], { stdio: "ignore" }).status === 0

const apt = (...args: ReadonlyArray<string>): boolean => {
  // Its service is not wanted: each test runs a server of its own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  return spawnSync("apt-get", ["-qq", ...args], { stdio: ["ignore", "ignore", "inherit"], env }).status === 0
}

/** In containers and CI machines, that is: on Debian and its kin, as root. Elsewhere it says what to do. */
export const provideServers = (): void => {
  const missing = Object.keys(packages).filter((command) => !has(command))
  if (missing.length === 0) return
  const names = missing.map((command) => packages[command]!)
  if (process.getuid?.() === 0 && has("apt-get")) {
    console.log(`installing ${names.join(" and ")}, which some tests start`)
    if (apt("update") && apt("install", "--yes", "--no-install-recommends", ...names)) return
  }
  const what = names.join(" and ")
  console.log(`${what} is missing, so tests that start it will fail: install it (apt-get install ${names.join(" ")})`)
}
