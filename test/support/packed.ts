/** Fresh projects with the packed tarball in them, installed by npm from the registry as users install it. */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { builtAlready, isPublished } from "../../scripts/build/remember.ts"

const root = resolve(import.meta.dirname, "../..")
const cache = join(root, "node_modules/.cache/clientele-packed")

export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** A folder of its own. */
export interface Project {
  readonly folder: string
  /** Runs a program in the folder. The event loop goes on meanwhile, which Vitest's workers need. */
  readonly run: (command: string, args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Promise<Ended>
  readonly write: (file: string, text: string) => void
  /** Removes the folder. The event loop goes on meanwhile, since a large one takes a busy disk a minute. */
  readonly dispose: () => Promise<void>
}

const COMMAND_TIMEOUT_MS = 300_000

const runIn =
  (cwd: string): Project["run"] =>
  (command, args, env = {}) =>
    new Promise((resolve) => {
      // Errors of npm are read, also where npm itself runs these tests silently.
      const loglevel = { npm_config_loglevel: "notice" }
      const options = {
        cwd,
        env: { ...process.env, ...loglevel, ...env },
        maxBuffer: 1 << 26,
        timeout: COMMAND_TIMEOUT_MS
      }
      const child = execFile(command, args, options, (error, stdout, stderr) => {
        const reason = error !== null && typeof error.code === "string" ? `${error.code}: ${error.message}` : ""
        resolve({ status: child.exitCode ?? -1, stdout, stderr: stderr + reason })
      })
    })

const filesOf = (path: string): ReadonlyArray<string> =>
  statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => filesOf(join(path, name))) : [path]

const published = ["package.json", "README.md", "SECURITY.md", "LICENSE", "docs", "src"]

const fingerprint = (): string => {
  const hash = createHash("sha256")
  for (const part of [...published, "scripts/build", "tsconfig.json", "tsconfig.build.json"]) {
    for (const file of filesOf(join(root, part)).toSorted()) hash.update(file).update(readFileSync(file))
  }
  return hash.digest("hex").slice(0, 16)
}

const expectSuccess = ({ status, stderr, stdout }: Ended, what: string): string => {
  if (status !== 0) throw new Error(`${what} ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

/** Fills a folder with what `npm run build` makes, from dist/ if that holds exactly this. */
export const build = async (out: string): Promise<void> => {
  if (builtAlready()?.isFromEmpty === true) {
    cpSync(join(root, "dist"), out, { recursive: true, filter: isPublished })
  } else {
    expectSuccess(await runIn(root)(process.execPath, ["scripts/build.ts", out]), "the build")
  }
}

const pack = async (): Promise<string> => {
  const file = join(cache, fingerprint(), "clientele.tgz")
  if (existsSync(file)) return file
  const stage = mkdtempSync(join(tmpdir(), "clientele-stage-"))
  try {
    const run = runIn(stage)
    for (const part of published) cpSync(join(root, part), join(stage, part), { recursive: true })
    await build(join(stage, "dist"))
    const name = expectSuccess(await run("npm", ["pack", "--ignore-scripts", "--silent"]), "npm pack").trim()
    // Older tarballs go after this one is in place; another worker may have packed the same.
    const older = existsSync(cache) ? readdirSync(cache).filter((name) => name !== fingerprint()) : []
    mkdirSync(dirname(file), { recursive: true })
    cpSync(join(stage, name), `${file}.${process.pid}`)
    renameSync(`${file}.${process.pid}`, file)
    for (const name of older) rmSync(join(cache, name), { recursive: true, force: true })
    return file
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

let packed: Promise<string> | undefined

/** The tarball's path. Packed once for each state of the sources. */
export const tarball = (): Promise<string> => (packed ??= pack())

const packFor4 = async (): Promise<string> => {
  const build = join(root, "effect4/build")
  const run = runIn(root)
  // Does little where that is built already.
  expectSuccess(await run(process.execPath, ["scripts/effect4/main.ts"]), "the build for Effect 4")
  const folder = mkdtempSync(join(tmpdir(), "clientele-tarball-4-"))
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]
  const name = expectSuccess(await runIn(build)("npm", args), "npm pack").trim()
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

let packedFor4: Promise<string> | undefined

/** The path of the tarball for Effect 4. */
export const tarballFor4 = (): Promise<string> => (packedFor4 ??= packFor4())

/** An empty folder with a package.json and nothing installed. */
export const emptyProject = (manifest: Readonly<Record<string, unknown>> = { type: "module" }): Project => {
  const folder = mkdtempSync(join(tmpdir(), "clientele-project-"))
  const project: Project = {
    folder,
    run: runIn(folder),
    write: (file, text) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), text)
    },
    dispose: () => rm(folder, { recursive: true, force: true })
  }
  project.write("package.json", JSON.stringify({ name: "project", private: true, ...manifest }))
  return project
}

/** Runs `npm install` with these specs, where `clientele` and `clientele@4` stand for the tarballs. */
export const install = async (project: Project, ...specs: ReadonlyArray<string>): Promise<Ended> => {
  const args = await Promise.all(
    specs.map((spec) => (spec === "clientele" ? tarball() : spec === "clientele@4" ? tarballFor4() : spec))
  )
  return project.run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...args])
}

/** A project in which `npm install` with these specs succeeded. */
export const projectWith = async (...specs: ReadonlyArray<string>): Promise<Project> => {
  const project = emptyProject()
  expectSuccess(await install(project, ...specs), "npm install")
  return project
}

/** A project with the tarball's content, and this repository's own copies of these packages and of undici: no install. */
export const linkedProject = async (...packages: ReadonlyArray<string>): Promise<Project> => {
  const project = emptyProject()
  const modules = join(project.folder, "node_modules")
  mkdirSync(join(modules, "clientele"), { recursive: true })
  const unpacked = ["-xzf", await tarball(), "--strip-components=1", "-C", join(modules, "clientele")]
  expectSuccess(await project.run("tar", unpacked), "tar")
  for (const name of ["undici", ...packages]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  return project
}
