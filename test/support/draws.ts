/** True in `npm run test:nightly`. */
export const isNight = process.env["CLIENTELE_NIGHT"] === "1"

/**
 * Number of cases that a property test draws: so many at night, and a quarter by day. Each run has a seed of its own, so the
 * days of a week try more cases than a night.
 */
export const draws = (atNight: number): number => (isNight ? atNight : Math.ceil(atNight / 4))
