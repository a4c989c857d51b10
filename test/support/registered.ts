/** Programs of a fresh project with `--import clientele/register`, whose provider is a sandbox. */
import type * as Sandbox from "../../src/testing/Sandbox.ts"
import type { Ended, Project } from "./packed.ts"

/** More at once than the default of `maxConnections`. */
export const AGENTS = 300

/** The default of `maxConnections`. */
export const BOUND = 256

/** The package and its required peers, of the versions that are tested. */
export const peers = ["clientele", "effect@3", "@effect/platform@0.97"]

export const registered = (
  project: Project,
  file: string,
  sandbox: Sandbox.Sandbox,
  env: Readonly<Record<string, string>>
): Promise<Ended> =>
  project.run(process.execPath, ["--import", "clientele/register", file, sandbox.origin], {
    OPENAI_API_KEY: "sk-test-of-a-project",
    OPENAI_BASE_URL: sandbox.baseURL("openai"),
    CLIENTELE_REPORT: "1",
    ...env
  })
