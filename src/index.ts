/**
 * Everything for Effect but what loads a library that not all have: the providers (`clientele/OpenAiClient`, ...) and
 * `clientele/QuotaRedis` have paths of their own. So has the door for code without Effect, `clientele/Promise`.
 *
 * @since 0.1.0
 */
export * as ClientConfig from "./ClientConfig.ts"
export * as ClientError from "./ClientError.ts"
export * as ClientLayer from "./ClientLayer.ts"
export * as ClientMap from "./ClientMap.ts"
export * as Credential from "./Credential.ts"
export * as Failover from "./Failover.ts"
export * as LeaseMap from "./LeaseMap.ts"
export * as Provider from "./Provider.ts"
export * as Quota from "./Quota.ts"
export * as Telemetry from "./Telemetry.ts"
export * as Transport from "./Transport.ts"
