/** True if spans record prompts, parameters of tools and texts of failures. They may hold anything. */
import * as Context from "effect/Context"

export class Content extends Context.Reference<Content>()("clientele/internal/telemetry/Content", {
  defaultValue: (): boolean => false
}) {}
