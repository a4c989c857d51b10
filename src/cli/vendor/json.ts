/** The streaming parser of JSON, bundled into dist/: it is no dependency of this package. */
export { JSONParser } from "@streamparser/json"
