/** Given by `require("clientele/Batch")`: the ES module, after a check of Node and Effect. */
import "../internal/install/check.cts"
/** @ts-ignore TS1479 where `module` is node16 or node18 */
export * from "../Batch.ts"
