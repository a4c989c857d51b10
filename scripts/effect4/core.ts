/** Derived tests of contracts, leases, keys, quotas, and of the way of a request: what the line for Effect 4 stands on. */
export const CORE: ReadonlyArray<string> = [
  "test/ClientConfig",
  "test/Credential",
  "test/Quota.test.ts",
  "test/contracts",
  "test/history",
  "test/http/",
  "test/lease",
  "test/quota",
  "test/request/"
]
