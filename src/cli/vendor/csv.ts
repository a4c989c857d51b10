/** The parser and the writer of CSV, bundled into dist/: they are no dependencies of this package. */
export { Parser } from "csv-parse"
export { stringify } from "csv-stringify/sync"
