/** Reports in words. */
import { count } from "./format.ts"
import type { Report } from "./measure.ts"

/** Compares both runs, with figures that both have measured. */
export const compare = (ours: Report, theirs: Report): string => {
  const cpu =
    ours.cpu === null || theirs.cpu === null
      ? ""
      : `A request took ${count((100 * ours.cpu) / theirs.cpu)}% of the CPU time that it takes with a client per agent.`
  return [
    `With clientele, ${did(ours)}.`,
    `With a client per agent, ${did(theirs)}, after the retries that the SDKs do by themselves.`,
    cpu
  ].join("\n")
}

const did = ({ clients, done, failed, sockets, total }: Report): string =>
  `${count(clients)} clients and ${count(sockets ?? 0)} sockets did ` +
  (failed === 0 ? `all ${count(total)} rows` : `${count(done)} of ${count(total)} rows and failed on ${count(failed)}`)

/** Advice about failed rows; nothing if none failed. */
export const advice = (report: Report, out: string): ReadonlyArray<string> =>
  report.failed === 0
    ? []
    : [
        `${count(report.failed)} rows failed: grep '"error"' ${out} shows them with their errors; fix these and run again.`
      ]
