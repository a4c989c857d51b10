/** The four doors' options, and how tests look at what was read of them. */
import * as assert from "node:assert/strict"
import { inspect } from "node:util"
import { afterEach, beforeEach } from "vitest"
import { OptionsError } from "../../../src/ClientError.ts"
import * as azure from "../../../src/internal/promise/options/azure.ts"
import * as cerebras from "../../../src/internal/promise/options/cerebras.ts"
import * as groq from "../../../src/internal/promise/options/groq.ts"
import * as openai from "../../../src/internal/promise/options/openai.ts"
import { type Bypass, isBypass, type Reading } from "../../../src/internal/promise/options/reading.ts"
import type { Table } from "../../../src/internal/promise/options/table.ts"

export type Options = Readonly<Record<string, unknown>>

export interface Door {
  readonly table: Table
  readonly read: (options?: unknown) => Reading | Bypass
  readonly rawKey: (options?: unknown) => string | undefined
}

export interface Subject extends Door {
  readonly least: Options
}

/** With `least`, which is what each needs beside an option under test. */
export const doors: Readonly<Record<"openai" | "azure" | "groq" | "cerebras", Subject>> = {
  openai: { ...openai, least: { apiKey: "sk-test" } },
  azure: { ...azure, least: { apiKey: "sk-test", endpoint: "https://films.azure.test", apiVersion: "2024-10-21" } },
  groq: { ...groq, least: { apiKey: "sk-test" } },
  cerebras: { ...cerebras, least: { apiKey: "sk-test" } }
}

export const read = (door: Door, options?: unknown): Reading => {
  const all = door.read(options)
  assert.ok(!isBypass(all), "used as given")
  return all
}

export const bypass = (door: Door, options: unknown): string => {
  const all = door.read(options)
  assert.ok(isBypass(all), "pooled")
  return all.bypass
}

export const refusal = (door: Door, options: unknown): OptionsError => {
  try {
    door.read(options)
  } catch (error) {
    assert.ok(error instanceof OptionsError, inspect(error))
    return error
  }
  throw new assert.AssertionError({ message: `${inspect(options)} was taken` })
}

export const isSame = (a: Reading, b: Reading): boolean =>
  a.config === b.config &&
  Object.keys(a.sdk).length === Object.keys(b.sdk).length &&
  Object.keys(a.sdk).every((name) => name in b.sdk && Object.is(a.sdk[name], b.sdk[name]))

/** Each test begins without the variables of the SDKs, and leaves the environment as it was. */
export const isolateEnvironment = (): void => {
  let before: NodeJS.ProcessEnv = {}
  beforeEach(() => {
    before = { ...process.env }
    for (const name of Object.keys(process.env))
      if (/^(OPENAI|AZURE|GROQ|CEREBRAS)_/.test(name)) delete process.env[name]
  })
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  })
}

export const setEnv = (variables: Readonly<Record<string, string>>): void => void Object.assign(process.env, variables)
