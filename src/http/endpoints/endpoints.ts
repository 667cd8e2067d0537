/**
 * The token endpoints of one authority, for any framework.
 *
 * @module
 */
import type { AnyClaims } from '../../types.js'
import { checkEndpointAuthority, optionsOf } from '../authority-check.js'
import type { Answer } from '../problem.js'
import {
  clockOf,
  type Endpoint,
  type EndpointAdapter,
  requestHandler,
  type Shared,
} from './endpoint.js'
import { introspection } from './introspection.js'
import {
  checkOptions,
  type EndpointAuthority,
  type EndpointsOptions,
  type IntrospectionOptions,
  type LeakOptions,
  type RevocationOptions,
  type RotationOptions,
  resolveEndpointsOptions,
} from './options.js'
import { leak, revocation } from './revocation.js'
import { rotation } from './rotation.js'

/**
 * Creates the endpoints of one authority. Each accepts only `POST` and responds with 405 to every other method.
 * Problems are `application/problem+json` (RFC 9457), and no response may be cached. An outage is 503 with
 * `Retry-After`; retrying is safe. Every method throws `ERR_INVALID_OPTION`.
 */
export interface TokenEndpoints<Request, Handler, Claims = AnyClaims> {
  /**
   * Revocation (RFC 7009), for callers that `authorize` accepts: a form with `token`. The response is 200 and empty,
   * whether or not the token existed. After it, no node accepts the token for longer than `maxStaleness`.
   */
  revocation(options: RevocationOptions<Request>): Handler
  /**
   * Introspection (RFC 7662), for callers that `authorize` accepts: a form with `token`. The response is `active: true`
   * with `scope`, `sub`, `aud`, `exp`, `iat`, `jti` and `token_type`, or only `active: false`. A call counts as a use
   * of the token.
   */
  introspection(options: IntrospectionOptions<Request, Claims>): Handler
  /**
   * Rotation by the holder: the token is presented in `Authorization: Bearer`, as to any route, and is the only proof
   * required. The response is that of RFC 6749, section 5.1, with the successor as `access_token`. HTTPS only, unless
   * `allowHttp`. An invalid token gets 401, with the code `family_ended` if its family has ended.
   */
  rotation(...options: readonly [options?: RotationOptions]): Handler
  /**
   * Leak reports, open to everyone, because anyone who finds a token may have it revoked. A form with `token`, or JSON
   * with `token` or up to 100 `tokens`. The response is 200 and empty for any input; 503 if a revocation is uncertain.
   */
  leak(...options: readonly [options?: LeakOptions]): Handler
}

/** Creates the endpoints in the form that `mount` returns. Throws `ERR_INVALID_OPTION`. */
export function makeEndpoints<Request, Handler, Claims>(
  authority: EndpointAuthority<Claims>,
  given: readonly [options?: EndpointsOptions<Request>],
  adapter: EndpointAdapter<Request>,
  mount: (respond: (request: Request) => Promise<Answer>) => Handler,
): TokenEndpoints<Request, Handler, Claims> {
  checkEndpointAuthority(authority)
  const shared: Shared<Request, Claims> = {
    authority,
    options: resolveEndpointsOptions(optionsOf(given, 'tokenEndpoints')),
    adapter,
    clock: clockOf(authority),
  }
  const mounted = (endpoint: Endpoint<Request>): Handler => mount(requestHandler(shared, endpoint))
  return Object.freeze({
    revocation(own) {
      return mounted(revocation(shared, checkOptions('revocation', own)))
    },
    introspection(own) {
      return mounted(introspection(shared, checkOptions('introspection', own)))
    },
    rotation(...own) {
      return mounted(rotation(shared, checkOptions('rotation', optionsOf(own, 'rotation'))))
    },
    leak(...own) {
      return mounted(leak(shared, checkOptions('leak', optionsOf(own, 'leak'))))
    },
  } satisfies TokenEndpoints<Request, Handler, Claims>)
}
