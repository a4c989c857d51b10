/**
 * SDK classes that a test framework has replaced (`jest.mock("openai")`, `vi.mock("openai")`). There is nothing to pool in
 * them: `new` gives what the test wants it to give.
 */
import { OptionsError } from "../../ClientError.ts"
import { isLoopback } from "../transport/publicAddress.ts"
import { chosenRuntime } from "../transport/runtime/choice.ts"

/** Methods that clients of Stainless's SDKs have in common, and stand-ins lack. */
const methods = ["buildRequest", "makeRequest"]

type Class = new (...args: ReadonlyArray<never>) => object

/** Throws an OptionsError if there is no class at all, as where a mock's factory leaves it out. */
export const isMocked = (provider: string, sdk: Class | undefined): boolean => {
  if (typeof sdk !== "function") {
    throw new OptionsError({
      provider,
      field: "sdk",
      received: "a module without the client's class",
      expected: "the SDK, or a mock of it whose factory returns the class by its name: docs/testing.md has examples"
    })
  }
  const prototype = (sdk.prototype ?? {}) as Readonly<Record<string, unknown>>
  // Functions of Jest and Vitest have `mock`, whichever way they were made.
  return "mock" in sdk || methods.some((name) => typeof prototype[name] !== "function")
}

/** The part of Vitest (2 to 4) that is read: it has no public way to ask. */
interface Mocker {
  readonly registries?: Iterable<readonly [unknown, { readonly keys?: () => Iterable<string> }]>
}

const mocksOfVitest = (): ReadonlyArray<string> => {
  try {
    const { __vitest_mocker__: mocker } = globalThis as { readonly __vitest_mocker__?: Mocker }
    return [...(mocker?.registries ?? [])].flatMap(([, registry]) => [...(registry.keys?.() ?? [])])
  } catch {
    return []
  }
}

/**
 * Throws an OptionsError where a test has mocked the SDK, its mock has not reached us, and requests would leave the machine:
 * Vitest leaves packages to Node, whose imports it does not see.
 */
export const refuseUnreached = (provider: string, sdkPackage: string, baseURL: string): void => {
  if (!("__vitest_mocker__" in globalThis)) return
  if (chosenRuntime() !== undefined || isLoopback(new URL(baseURL).hostname)) return
  if (!mocksOfVitest().some((id) => id.includes(`/node_modules/${sdkPackage}/`))) return
  throw new OptionsError({
    provider,
    field: "sdk",
    received: `the real "${sdkPackage}", which vi.mock("${sdkPackage}") has replaced for others`,
    expected:
      'a mock that reaches this package: set test.server.deps.inline to ["clientele"] in Vitest\'s config, or mock the ' +
      "getter's own module instead; docs/testing.md has examples"
  })
}
