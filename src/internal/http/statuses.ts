/** Which statuses mean something here. */
import { STATUS_CODES } from "node:http"

/**
 * Beside those that Node names (IANA's registry): 498 of Groq (no capacity for a flexible request), 499 of nginx (the
 * client left), 520 to 527 and 530 of Cloudflare, 529 of Anthropic (overloaded).
 */
const others: ReadonlySet<number> = new Set([498, 499, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530])

export const isKnown = (status: number): boolean =>
  status === 200 || STATUS_CODES[status] !== undefined || others.has(status)
