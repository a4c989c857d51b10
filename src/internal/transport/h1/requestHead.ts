/** The head of an HTTP/1.1 request (RFC 9112). */
import { checkHead } from "../head.ts"

const method = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const notPath = /[^\x21-\x7e\x80-\xff]/

/** Headers that belong to the connection or follow from the body: reserved for this module. */
const own = new Set(["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"])

/** Methods whose requests have content, be it empty (RFC 9110, section 8.6). */
const hasContent = /^(?:POST|PUT|PATCH)$/

/** Bytes of a request's body, `undefined` for none, "chunked" if unknown. */
export type Content = number | "chunked" | undefined

export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly content: Content
  /** True if the connection may carry another request. */
  readonly keepsAlive: boolean
}

/**
 * True if the connection should not be reused, since servers and proxies disagree about where such messages end: some
 * send a body in response to HEAD, some don't read a body where none is usual.
 */
export const endsConnection = (method: string, content: Content): boolean =>
  method === "HEAD" || (content !== undefined && content !== 0 && !hasContent.test(method))

/** One character a byte, the empty line included. Throws for what can't be written. */
export const requestHead = (host: string, request: RequestHead): string => {
  const { content, headers, keepsAlive, path } = request
  if (!method.test(request.method)) throw new TypeError("the method is invalid")
  if (!path.startsWith("/") || notPath.test(path)) throw new TypeError("the path has invalid characters")
  checkHead(headers)
  let text = `${request.method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${keepsAlive ? "keep-alive" : "close"}\r\n`
  for (const name in headers) {
    if (own.has(name)) throw new TypeError(`the header ${name} belongs to the connection`)
    text += `${name}: ${headers[name]}\r\n`
  }
  if (content === "chunked") text += "transfer-encoding: chunked\r\n"
  else if (content !== undefined || hasContent.test(request.method)) text += `content-length: ${content ?? 0}\r\n`
  return `${text}\r\n`
}
