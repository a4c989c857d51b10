#!/usr/bin/env node
/** The `clientele` command: finds the subcommand, which is loaded only when it is called. */
import { readFileSync } from "node:fs"
import { UsageError } from "./usage.ts"

interface Command {
  readonly summary: string
  readonly load: () => Promise<{ readonly run: (args: ReadonlyArray<string>) => Promise<number> }>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  sandbox: {
    summary: "a provider server on this machine, to develop and test against",
    load: () => import("./sandbox.ts")
  }
}

const help = (): string => `usage: clientele <command> [options]

commands:
${Object.entries(COMMANDS)
  .map(([name, command]) => `  ${name.padEnd(10)} ${command.summary}`)
  .join("\n")}

  clientele <command> --help   its options
  clientele --version          the version
`

const version = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "?"
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const [name, ...rest] = args
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help())
    return 0
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  if (name === undefined) {
    process.stderr.write(help())
    return 2
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  try {
    if (command === undefined) {
      throw new UsageError(`there is no command "${name}"; there is: ${Object.keys(COMMANDS).join(", ")}`)
    }
    return await (await command.load()).run(rest)
  } catch (error) {
    process.stderr.write(`clientele: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof UsageError ? 2 : 1
  }
}

process.exitCode = await main(process.argv.slice(2))
