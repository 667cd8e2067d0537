/**
 * The request data that a guard reads from a framework.
 *
 * @module
 */
import type { RequestContext } from '../observe/channels.js'

/** Reads a framework's request. */
export interface RequestAdapter<Request> {
  /** Every `Authorization` header as received, one by one, to detect duplicates. */
  authorization(request: Request): readonly string[]
  /** The request target including the query, or only the query. */
  url(request: Request): string
  /** The fields of a form, if the body is one and was already parsed. */
  form(request: Request): unknown
  /** Whether the request came over TLS, by the connection or by a proxy that the framework trusts. */
  isSecure(request: Request): boolean
  /** What the framework knows about the request. */
  context(request: Request): RequestContext
}

/**
 * Whether the response may contain a token: decided by the application, or by what the framework knows about the
 * connection.
 */
export function isSecure<Request>(
  adapter: Pick<RequestAdapter<Request>, 'isSecure'>,
  request: Request,
  byApplication?: (request: Request) => boolean,
): boolean {
  if (byApplication !== undefined) return byApplication(request) === true
  // The frameworks read `socket.encrypted`, which a plain socket would inherit from a polluted prototype.
  return !('encrypted' in Object.prototype) && adapter.isSecure(request) === true
}
