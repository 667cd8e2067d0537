/**
 * The request data that a guard reads from a framework.
 *
 * @module
 */
import type { RequestContext } from '../observe/channels.js'

/** Reads a framework's request. */
export interface RequestAdapter<Request> {
  /** Every `Authorization` header, one by one as it was received, so that duplicates are seen. */
  authorization(request: Request): readonly string[]
  /** The target of the request, query included; or the query alone. */
  url(request: Request): string
  /** The fields of a form, if the body is one and was already parsed. */
  form(request: Request): unknown
  /** Whether the request came over TLS, by the connection or by a proxy that the framework trusts. */
  isSecure(request: Request): boolean
  /** What the framework knows about the request. */
  context(request: Request): RequestContext
}

/**
 * Whether a token may be sent in the response: decided by the application, or by what the framework knows from the
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
