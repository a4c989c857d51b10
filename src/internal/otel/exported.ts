/** True if metrics go through OpenTelemetry's API too, as those of clients do that are made without Effect. */
import * as Context from "effect/Context"

export class Exported extends Context.Reference<Exported>()("clientele/internal/telemetry/Exported", {
  defaultValue: (): boolean => false
}) {}
