/** A block of lines at the end of a terminal that shows how a run goes. */
import { createLogUpdate } from "../vendor/terminal.ts"
import type { Display } from "./display.ts"
import {
  costText,
  failuresText,
  holdText,
  outlook,
  rowsText,
  type RunView,
  speedText,
  tokensText,
  workText
} from "./view.ts"

const BAR_CELLS = 24

const bar = (share: number): string => {
  const filled = Math.round(BAR_CELLS * share)
  return "█".repeat(filled) + "░".repeat(BAR_CELLS - filled)
}

export const blockText = (title: string, view: RunView): string => {
  const { share } = outlook(view)
  const percent = share === undefined ? "" : `${bar(share)} ${Math.floor(share * 100)} %  `
  return [
    title,
    `${percent}${rowsText(view)}, ${speedText(view)}`,
    `${tokensText(view)}; ${costText(view)}`,
    failuresText(view),
    workText(view),
    holdText(view)
  ].join("\n")
}

export const terminalDisplay = (title: string, screen: NodeJS.WritableStream): Display => {
  // Hiding the cursor would take the process's signals, to show it again.
  const update = createLogUpdate(screen, { showCursor: true })
  return {
    show: (view) => update(blockText(title, view)),
    note: (line) => update.persist(line),
    end: ({ lines }) => {
      update.clear()
      update.done()
      if (lines.length > 0) screen.write(lines.map((line) => `${line}\n`).join(""))
    }
  }
}
