/**
 * All modules for Effect, except those of one provider and those that load an optional library: the clients, the APIs
 * without an SDK, the models and `QuotaRedis` have paths of their own, `import * as OpenAiClient from
 * "clientele/OpenAiClient"`. So has the API for code without Effect, `clientele/Promise`. Importing one of their names from
 * here fails, at compile time and at run time, with an error that has its path.
 *
 * @since 0.1.0
 */
import "./internal/needs-effect-3/run-npm-install-effect@3.ts"
import { type Elsewhere, elsewhere } from "./internal/install/elsewhere.ts"

export * as Batch from "./Batch.ts"
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

/** @deprecated `import * as OpenAiClient from "clientele/OpenAiClient"` */
export const OpenAiClient: Elsewhere<"clientele/OpenAiClient"> = /* @__PURE__ */ elsewhere("OpenAiClient")

/** @deprecated `import * as AzureOpenAiClient from "clientele/AzureOpenAiClient"` */
export const AzureOpenAiClient: Elsewhere<"clientele/AzureOpenAiClient"> =
  /* @__PURE__ */ elsewhere("AzureOpenAiClient")

/** @deprecated `import * as GroqClient from "clientele/GroqClient"` */
export const GroqClient: Elsewhere<"clientele/GroqClient"> = /* @__PURE__ */ elsewhere("GroqClient")

/** @deprecated `import * as CerebrasClient from "clientele/CerebrasClient"` */
export const CerebrasClient: Elsewhere<"clientele/CerebrasClient"> = /* @__PURE__ */ elsewhere("CerebrasClient")

/** @deprecated `import * as OpenAiApi from "clientele/OpenAiApi"` */
export const OpenAiApi: Elsewhere<"clientele/OpenAiApi"> = /* @__PURE__ */ elsewhere("OpenAiApi")

/** @deprecated `import * as AzureOpenAiApi from "clientele/AzureOpenAiApi"` */
export const AzureOpenAiApi: Elsewhere<"clientele/AzureOpenAiApi"> = /* @__PURE__ */ elsewhere("AzureOpenAiApi")

/** @deprecated `import * as GroqApi from "clientele/GroqApi"` */
export const GroqApi: Elsewhere<"clientele/GroqApi"> = /* @__PURE__ */ elsewhere("GroqApi")

/** @deprecated `import * as CerebrasApi from "clientele/CerebrasApi"` */
export const CerebrasApi: Elsewhere<"clientele/CerebrasApi"> = /* @__PURE__ */ elsewhere("CerebrasApi")

/** @deprecated `import * as OpenAiModel from "clientele/OpenAiModel"` */
export const OpenAiModel: Elsewhere<"clientele/OpenAiModel"> = /* @__PURE__ */ elsewhere("OpenAiModel")

/** @deprecated `import * as AzureOpenAiModel from "clientele/AzureOpenAiModel"` */
export const AzureOpenAiModel: Elsewhere<"clientele/AzureOpenAiModel"> = /* @__PURE__ */ elsewhere("AzureOpenAiModel")

/** @deprecated `import * as GroqModel from "clientele/GroqModel"` */
export const GroqModel: Elsewhere<"clientele/GroqModel"> = /* @__PURE__ */ elsewhere("GroqModel")

/** @deprecated `import * as CerebrasModel from "clientele/CerebrasModel"` */
export const CerebrasModel: Elsewhere<"clientele/CerebrasModel"> = /* @__PURE__ */ elsewhere("CerebrasModel")

/** @deprecated `import * as Agent from "clientele/Agent"` */
export const Agent: Elsewhere<"clientele/Agent"> = /* @__PURE__ */ elsewhere("Agent")

/** @deprecated `import * as ToolLoop from "clientele/ToolLoop"` */
export const ToolLoop: Elsewhere<"clientele/ToolLoop"> = /* @__PURE__ */ elsewhere("ToolLoop")

/** @deprecated `import * as HttpClient from "clientele/HttpClient"` */
export const HttpClient: Elsewhere<"clientele/HttpClient"> = /* @__PURE__ */ elsewhere("HttpClient")

/** @deprecated `import * as QuotaRedis from "clientele/QuotaRedis"` */
export const QuotaRedis: Elsewhere<"clientele/QuotaRedis"> = /* @__PURE__ */ elsewhere("QuotaRedis")
