/** Lines that are rewritten in a terminal, bundled into dist/: a dependency of the command alone. */
export { createLogUpdate } from "log-update"
