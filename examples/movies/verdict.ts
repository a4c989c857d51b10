/** A comparison in words. */
import type { Report } from "./measure.ts"

const number = (value: number): string => Math.round(value).toLocaleString("en-US")

/** What both runs have shown, and nothing that they have not. */
export const compare = (ours: Report, theirs: Report): string => {
  const done = ({ done, failed, total }: Report) =>
    failed === 0
      ? `all ${number(total)} rows`
      : `${number(done)} of ${number(total)} rows and failed on ${number(failed)}`
  const over = ({ sockets }: Report) => (sockets === null ? "" : ` over ${number(sockets)} sockets at most`)
  const cpu =
    ours.cpu === null || theirs.cpu === null
      ? ""
      : ` A request took ${number((100 * ours.cpu) / theirs.cpu)}% of the CPU time that it takes with a client per agent.`
  return (
    `With clientele, ${number(ours.clients)} clients did ${done(ours)}${over(ours)}. ` +
    `A client per agent did ${done(theirs)}${over(theirs)}.${cpu}`
  )
}
