/**
 * Detects whether a call asks for a stream, while the code that makes it is on the stack. openai 7 decides that in a
 * later turn, and recording the call site of every call costs more than all else that the pool does for it.
 */

/** The call that is being made. */
export interface Asking {
  /** `undefined` if unknown. */
  stream: boolean | undefined
  /** The outermost function that is none of the user's business, if it is known. */
  caller: Create | undefined
}

type Create = (...args: ReadonlyArray<unknown>) => unknown

interface Resource {
  readonly create: Create
}

/** Resources of the SDKs that may respond with a stream. For calls of others it is unknown whether they ask for one. */
interface Resources {
  readonly chat?: { readonly completions?: Resource }
  readonly completions?: Resource
  readonly responses?: Resource
}

/** Wraps `create` of this client's resources: the result describes, from now on, the call that is being made. */
export const detect = (client: object): Asking => {
  const asking: Asking = { stream: undefined, caller: undefined }
  const { chat, completions, responses } = client as Resources
  for (const resource of [chat?.completions, completions, responses]) {
    // One of the resource's own is a test's spy.
    if (resource === undefined || Object.hasOwn(resource, "create")) continue
    const create: Create = (...args) => {
      asking.stream = asksForStream(args[0])
      asking.caller = create
      try {
        // Looked up each time: tracers may replace it.
        return (Object.getPrototypeOf(resource) as Resource).create.apply(resource, args as Array<unknown>)
      } finally {
        asking.stream = asking.caller = undefined
      }
    }
    Object.defineProperty(resource, "create", { value: create, writable: true, configurable: true })
  }
  return asking
}

const asksForStream = (body: unknown): boolean => {
  const stream = (body as { readonly stream?: unknown } | null | undefined)?.stream
  return stream !== undefined && stream !== null && stream !== false
}
