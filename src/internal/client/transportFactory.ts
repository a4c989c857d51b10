/** By what a client map makes its transports: sockets, unless a test brings something else. */
import * as Context from "effect/Context"
import * as Transport from "../../Transport.ts"

export class TransportMaker extends Context.Reference<TransportMaker>()("clientele/internal/TransportMaker", {
  defaultValue: (): typeof Transport.make => Transport.make
}) {}
