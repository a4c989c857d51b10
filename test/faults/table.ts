/** All rows of the fault matrix, by what is wrong. */
import type { Row } from "./row.ts"
import * as answers from "./rows/answers.ts"
import * as breaks from "./rows/breaks.ts"
import * as connect from "./rows/connect.ts"
import * as down from "./rows/down.ts"
import * as network from "./rows/network.ts"
import * as odd from "./rows/odd.ts"
import * as sandbox from "./rows/sandbox.ts"
import * as sessions from "./rows/sessions.ts"
import * as silence from "./rows/silence.ts"

export const groups: ReadonlyArray<readonly [title: string, rows: ReadonlyArray<Row>]> = [
  ["Connections that do not come about", connect.rows],
  ["Connections and streams that break", breaks.rows],
  ["Networks that are ill", network.rows],
  ["HTTP/2 sessions, and connections that outlive their use", sessions.rows],
  ["Servers that say nothing, too little, or too much", silence.rows],
  ["Providers that are down", down.rows],
  ["Answers that are none, and refusals", answers.rows],
  ["Answers that servers should not give", odd.rows],
  ["The sandbox's own faults", sandbox.rows]
]

export const rows: ReadonlyArray<Row> = groups.flatMap(([, rows]) => rows)
