import fc from "fast-check"

/** Characters on which a reader of JSON may trip: its own, and those of several bytes. */
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
