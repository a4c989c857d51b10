/**
 * A fetch with the class of its responses beside it: before an upload the SDKs look for that class there, and if it is
 * missing fetch "data:," to learn it.
 */
export const withResponse = (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  Object.assign(fetch, { Response })
