/** A name for a credential that is the same in every process, and from which no key can be had. */
import { createHash } from "node:crypto"
import type { CredentialKey } from "../../ClientConfig.ts"
import { stableDigest } from "../credential/model.ts"

export const digest = ({ baseURL, credential, organization, project, provider }: CredentialKey): string =>
  createHash("sha256")
    .update(JSON.stringify([provider, baseURL, stableDigest(credential), organization ?? null, project ?? null]))
    .digest("hex")
    .slice(0, 20)
