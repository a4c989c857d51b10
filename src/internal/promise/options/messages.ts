import { OptionsError } from "../../../ClientError.ts"
import type { Table } from "./table.ts"

/** The error of a config in the words of an SDK's constructor: with the SDK's names of options, and plain keys. */
export const translate = (table: Table, error: OptionsError): OptionsError => {
  const { expected, field, provider, received } = error
  const [head = "", ...rest] = field.split(".")
  const name = Object.keys(table).find((known) => table[known]?.as === head) ?? head
  return new OptionsError({
    provider,
    field: [name, ...rest].join("."),
    received,
    expected: expected
      .replace("the option query takes", "the option defaultQuery takes")
      .replace("apiKey: Redacted.make(key)", "apiKey")
      .replace(/^Redacted\.make\(key\), .*/, "the provider's key, as a string")
  })
}
