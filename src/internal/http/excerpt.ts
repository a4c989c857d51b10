/** The text of an error's body: retries wait for it, so a body that is endless or slow must not hold them up. */
import { clearTimeout, setTimeout } from "../util/timers.ts"

/** In bytes. Providers' errors have a few hundred. */
const most = 1024 * 1024
/** In milliseconds. Servers send their errors at once. */
const patience = 3_000

/** Reads the body within these bounds, and cancels the rest. */
export const excerpt = async (response: Response): Promise<string> => {
  const reader = response.body?.getReader()
  if (reader === undefined) return ""
  const giveUp = (): void => void reader.cancel().catch(() => undefined)
  const timer = setTimeout(giveUp, patience)
  const decoder = new TextDecoder()
  let text = ""
  try {
    let size = 0
    while (size < most) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      text += decoder.decode(value, { stream: true })
    }
    return text + decoder.decode()
  } finally {
    clearTimeout(timer)
    giveUp()
  }
}
