/** Heard with `process.on("warning")`, silenced with `--no-warnings` or `--disable-warning=ClienteleWarning`. */
export const warn = (message: string): void => process.emitWarning(message, "ClienteleWarning")
