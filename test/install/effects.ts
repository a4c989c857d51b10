/** Versions of Effect that this line accepts, and others. */
export const effects = {
  good: ["3.22.0", "3.22.4", "3.30.1"],
  bad: ["3.21.9", "2.4.0", "4.0.0-beta.38", "4.1.0", "30.0.0"]
}
