/** OpenAI's current tokenizer with its two megabytes of ranks, bundled into dist/: it is no dependency of this package. */
export { countTokens } from "gpt-tokenizer/encoding/o200k_base"
