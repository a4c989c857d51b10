/** Tag of the client map, apart from `accessors`, whose streams load Effect's Stream. */
import * as Context from "effect/Context"
import type { Service } from "../../ClientMap.ts"

/**
 * The service tag; `ClientLayer.layer` provides it.
 *
 * @since 0.1.0
 * @category tags
 */
export class ClientMap extends Context.Tag("clientele/ClientMap")<ClientMap, Service>() {}
