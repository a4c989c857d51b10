/**
 * Whether a call asks for a stream, while the code that makes it is on the stack. openai 7 says so in a later turn, and to
 * note of every call where it was made costs more than all else that the pool does for it.
 */

/** Of the call that is being made. */
export interface Asking {
  /** `undefined` where nobody knows. */
  stream: boolean | undefined
  /** The outermost function that is none of the user's business, if it is known. */
  caller: Create | undefined
}

type Create = (...args: ReadonlyArray<unknown>) => unknown

interface Resource {
  readonly create: Create
}

/** Where the SDKs have what may answer with a stream. What is not here asks for one in a way that nobody knows. */
interface Resources {
  readonly chat?: { readonly completions?: Resource }
  readonly completions?: Resource
  readonly responses?: Resource
}

/** What is told of all calls of this client from now on. */
export const of = (client: object): Asking => {
  const asking: Asking = { stream: undefined, caller: undefined }
  const { chat, completions, responses } = client as Resources
  for (const resource of [chat?.completions, completions, responses]) {
    // One of the resource's own is somebody's spy.
    if (resource === undefined || Object.hasOwn(resource, "create")) continue
    const create: Create = (...args) => {
      asking.stream = asksForStream(args[0])
      asking.caller = create
      try {
        // Looked up each time: whoever traces calls may replace it.
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
