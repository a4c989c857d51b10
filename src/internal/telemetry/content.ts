/** True if spans record prompts, parameters of tools and texts of failures. They may hold anything. */
import * as Context from "effect/Context"

export class RecordContent extends Context.Reference<RecordContent>()("clientele/internal/telemetry/Content", {
  defaultValue: (): boolean => false
}) {}
