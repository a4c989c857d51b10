import fc from "fast-check"

/** What may trip a reader of JSON up: its own characters, and those of several bytes. */
export const unit = fc.constantFrom(
  "a",
  " ",
  '"',
  "\\",
  "/",
  "\n",
  "\0",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "ü",
  "漢",
  "😀",
  "\u2028"
)
