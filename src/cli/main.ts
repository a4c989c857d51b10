#!/usr/bin/env node
/** The `clientele` command: finds the subcommand, which is loaded only when it is called. */
import * as nodeModule from "node:module"
import { problemIn } from "../internal/install/surroundings.ts"
import { folder, manifest } from "./manifest.ts"
import { CommandError, UsageError } from "./exit.ts"

interface Command {
  readonly summary: string
  /** Runs, or prints its help, whatever Node and Effect are installed. @default nothing */
  readonly anyhow?: "run" | "help"
  readonly load: () => Promise<{ readonly run: (args: ReadonlyArray<string>) => Promise<number> }>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  run: {
    summary: "a model or an agent for each row of a file, with a file of results",
    anyhow: "help",
    load: () => import("./run.ts")
  },
  stats: {
    summary: "what a run has done so far: rows, failures, tokens, cost",
    anyhow: "help",
    load: () => import("./stats.ts")
  },
  sandbox: {
    summary: "a provider server on this machine, to develop and test against",
    load: () => import("./sandbox.ts")
  },
  doctor: {
    summary: "what may keep a run from working: versions, keys, endpoints, limits",
    anyhow: "run",
    load: () => import("./doctor.ts")
  }
}

const help = (): string => `usage: clientele <command> [options]

commands:
${Object.entries(COMMANDS)
  .map(([name, command]) => `  ${name.padEnd(10)} ${command.summary}`)
  .join("\n")}

  clientele <command> --help   options of a command
  clientele --version          version of clientele
`

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const [name, ...rest] = args
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help())
    return 0
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${manifest.version}\n`)
    return 0
  }
  if (name === undefined) {
    process.stderr.write(help())
    return 2
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  try {
    if (command === undefined) {
      throw new UsageError(`unknown command "${name}"; commands: ${Object.keys(COMMANDS).join(", ")}`)
    }
    const isHelp = rest.includes("--help") || rest.includes("-h")
    const needsNothing = command.anyhow === "run" || (command.anyhow === "help" && isHelp)
    const problem = needsNothing ? undefined : problemIn(folder)
    if (problem !== undefined) {
      process.stderr.write(`${problem}\n`)
      return 1
    }
    // Compiling is a part of the time until the first request. Not all runtimes have this cache.
    nodeModule.enableCompileCache?.()
    return await (await command.load()).run(rest)
  } catch (error) {
    process.stderr.write(`clientele: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof CommandError ? error.exitCode : 1
  }
}

const isReaderGone = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE" || code === "ERR_STREAM_DESTROYED"

// A reader that has seen enough and closes the pipe, such as `head`, is no failure. A run goes on without its watcher.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (!isReaderGone(error)) throw error
  if (process.argv[2] !== "run") process.exit(0)
})
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (!isReaderGone(error)) throw error
})

process.exitCode = await main(process.argv.slice(2))
