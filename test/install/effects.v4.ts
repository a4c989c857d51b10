/** Versions of Effect that this line accepts, and others. */
export const effects = {
  good: ["4.1.0", "4.1.7"],
  bad: ["3.22.4", "4.0.6", "4.2.0", "4.1", "40.1.0"]
}
