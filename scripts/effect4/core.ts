/** Derived tests of contracts, leases, keys, quotas, the way of a request, models and tool loops: what the line for Effect 4 stands on. */
export const CORE: ReadonlyArray<string> = [
  "test/ClientConfig",
  "test/agent/toolLoop.test.ts",
  "test/ai/sandbox.test.ts",
  "test/Credential",
  "test/Quota.test.ts",
  "test/contracts",
  "test/history",
  "test/http/",
  "test/lease",
  "test/quota",
  "test/request/"
]
