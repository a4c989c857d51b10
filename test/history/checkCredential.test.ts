/** The checker of credentials against histories written by hand: the good one passes, each bad one breaks its rule. */
import { assert, describe, it } from "vitest"
import { checkCredential } from "./checkCredential.ts"
import type { CredentialCall, CredentialDetail } from "./credentialHistory.ts"
import { Recorder } from "./history.ts"

/** Writes histories in few words. */
class Pen extends Recorder<CredentialCall, CredentialDetail> {
  readonly time: { ms: number }
  constructor(time = { ms: 0 }) {
    super(() => time.ms)
    this.time = time
  }
  asks(version = 0): number {
    return this.invoke({ f: "use", version })
  }
  gets(use: number, token: string): void {
    this.ok(use, { token })
  }
  loads(version = 0): number {
    return this.invoke({ f: "load", version })
  }
  gives(load: number, token: string, expiresAt = 1_000): void {
    this.ok(load, { token, expiresAt })
  }
  refused(token: string): void {
    this.did({ f: "refuse", token }, { helps: true })
  }
  /** A use that loads. */
  first(token: string, version = 0): void {
    const use = this.asks(version)
    this.gives(this.loads(version), token)
    this.gets(use, token)
  }
  quiet(): void {
    this.did({ f: "quiet" }, {})
  }
}

const broken = (write: (pen: Pen) => void): ReadonlyArray<string> => {
  const pen = new Pen()
  write(pen)
  return [...new Set(checkCredential(pen.entries).map(({ rule }) => rule))].sort()
}

interface Bad {
  readonly rules: ReadonlyArray<string>
  readonly write: (pen: Pen) => void
}

const bad: Readonly<Record<string, Bad>> = {
  "two loads at once": {
    rules: ["one load at a time a version"],
    write: (pen) => {
      const uses = [pen.asks(), pen.asks()]
      const loads = [pen.loads(), pen.loads()]
      loads.forEach((load) => pen.gives(load, "a"))
      uses.forEach((use) => pen.gets(use, "a"))
    }
  },
  "a token that is used after its refusal": {
    rules: ["no refused token is handed out"],
    write: (pen) => {
      pen.first("a")
      pen.refused("a")
      pen.gets(pen.asks(), "a")
    }
  },
  "one who waited, and gets what was refused to one who woke before": {
    rules: ["no refused token is handed out"],
    write: (pen) => {
      const [one, other] = [pen.asks(), pen.asks()]
      pen.gives(pen.loads(), "a")
      pen.gets(one, "a")
      pen.refused("a")
      pen.gets(other, "a")
    }
  },
  "a load that began before the refusal, and gives the same once more": {
    rules: ["no refused token is handed out"],
    write: (pen) => {
      pen.first("a")
      const load = pen.loads()
      pen.refused("a")
      pen.gives(load, "a")
      pen.gets(pen.asks(), "a")
    }
  },
  "a token at its end": {
    rules: ["no expired token is handed out"],
    write: (pen) => {
      pen.first("a")
      pen.time.ms = 1_000
      pen.gets(pen.asks(), "a")
    }
  },
  "a token of the version before": {
    rules: ["no token of an old version is handed out"],
    write: (pen) => {
      pen.first("a", 0)
      pen.gets(pen.asks(1), "a")
    }
  },
  "a failure without a load": {
    rules: ["fails for cause"],
    write: (pen) => pen.fail(pen.asks(), {})
  },
  "a failure that was before": {
    rules: ["fails for cause"],
    write: (pen) => {
      const use = pen.asks()
      pen.fail(pen.loads(), {})
      pen.fail(use, {})
      pen.fail(pen.asks(), {})
    }
  },
  "an interruption by nobody": {
    rules: ["fails for cause"],
    write: (pen) => pen.unknown(pen.asks())
  },
  "one who waits for a load that is over": {
    rules: ["all settle in the end", "no wakeup is lost"],
    write: (pen) => {
      pen.asks()
      pen.gives(pen.loads(), "a")
      pen.quiet()
    }
  },
  "one who has given up and still waits": {
    rules: ["all settle in the end", "no wakeup is lost"],
    write: (pen) => {
      pen.did({ f: "abort", of: pen.asks() }, {})
      pen.loads()
      pen.quiet()
    }
  },
  "a load that goes on when all have given up": {
    rules: ["no load goes on for nobody"],
    write: (pen) => {
      const use = pen.asks()
      pen.loads()
      pen.did({ f: "abort", of: use }, {})
      pen.unknown(use)
      pen.quiet()
    }
  },
  "an operation that ends twice": {
    rules: ["each operation ends once"],
    write: (pen) => pen.ok(pen.did({ f: "quiet" }, {}), {})
  }
}

describe("the checker of credentials", () => {
  it("passes a history in which all is well", () => {
    const rules = broken((pen) => {
      pen.first("a")
      pen.time.ms = 900
      // Ahead of time.
      const load = pen.loads()
      pen.quiet()
      pen.gets(pen.asks(), "a")
      pen.gives(load, "b", 2_000)
      pen.gets(pen.asks(), "b")
      pen.refused("b")
      const use = pen.asks()
      pen.fail(pen.loads(), {})
      pen.fail(use, {})
      // The same again, from a load that began later.
      const again = pen.asks()
      pen.gives(pen.loads(), "b", 2_000)
      pen.gets(again, "b")
      const last = pen.asks(1)
      const other = pen.loads(1)
      pen.quiet()
      pen.did({ f: "abort", of: last }, {})
      pen.unknown(last)
      pen.unknown(other)
      pen.quiet()
    })
    assert.deepStrictEqual(rules, [])
  })

  it("passes a refresh that was asked for in time and begins when the token is over", () => {
    const rules = broken((pen) => {
      pen.first("a")
      pen.time.ms = 900
      pen.gets(pen.asks(), "a")
      pen.time.ms = 1_000
      const load = pen.loads()
      pen.quiet()
      pen.gives(load, "b", 2_000)
    })
    assert.deepStrictEqual(rules, [])
  })

  for (const [name, { rules, write }] of Object.entries(bad)) {
    it(`rejects ${name}`, () => assert.deepStrictEqual(broken(write), rules))
  }
})
