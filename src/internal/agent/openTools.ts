/**
 * Tools that accept any parameters of a model: it gets the same schema, and parameters that do not fit are reported to
 * it instead of ending the answer.
 */
import type * as Tool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as OpenTool from "./openTool.ts"

const known = new WeakMap<Tool.Any, Tool.Any>()

const open = (tool: Tool.Any): Tool.Any => {
  let opened = known.get(tool)
  if (opened === undefined) known.set(tool, (opened = OpenTool.make(tool)))
  return opened
}

/** Without handlers: requests with them must not have calls resolved. */
export const ofToolkit = ({ tools }: Toolkit.WithHandler<Record<string, Tool.Any>>) => {
  const opened: Record<string, Tool.Any> = {}
  for (const [name, tool] of Object.entries(tools)) opened[name] = open(tool)
  return { tools: opened, handle: nobody } as unknown as Toolkit.WithHandler<Record<string, Tool.Any>>
}

const nobody = (): never => {
  throw new Error("an open tool has no handler")
}
