/**
 * The token endpoints of one authority, for any framework.
 *
 * @module
 */
import type { AnyClaims } from '../../types.js'
import { checkEndpointAuthority, optionsOf } from '../authority-check.js'
import type { Answer } from '../refusal.js'
import { answering, clockOf, type Endpoint, type EndpointAdapter, type Shared } from './endpoint.js'
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
 * Makes the endpoints of one authority. Each takes `POST` alone, and answers everything else 405; problems are answered
 * as `application/problem+json` (RFC 9457), and nothing may be cached. An outage is 503 with `Retry-After`: whoever asks
 * again does no harm. Every method throws `ERR_INVALID_OPTION`.
 */
export interface TokenEndpoints<Request, Handler, Claims = AnyClaims> {
  /**
   * Revocation (RFC 7009), for callers that `authorize` knows: a form with `token`. The answer is 200 and empty, whether
   * there was such a token or not; when it is there, no node accepts the token for longer than `maxStaleness`.
   */
  revocation(options: RevocationOptions<Request>): Handler
  /**
   * Introspection (RFC 7662), for callers that `authorize` knows: a form with `token`. The answer is `active: true` with
   * `scope`, `sub`, `aud`, `exp`, `iat`, `jti` and `token_type`, or nothing but `active: false`. To ask counts as a use.
   */
  introspection(options: IntrospectionOptions<Request, Claims>): Handler
  /**
   * Rotation by the holder: the token is presented as to any route, in `Authorization: Bearer`, and is all the proof
   * that is asked for. The answer is that of RFC 6749, section 5.1, with the successor as `access_token`. HTTPS only,
   * unless `allowHttp`; 401 for a token that is no good, with the code `family_ended` for one whose family is.
   */
  rotation(...options: readonly [options?: RotationOptions]): Handler
  /**
   * Leak reports, for everybody: whoever has found a token may have it killed. A form with `token`, or JSON with `token`
   * or up to 100 `tokens`. The answer is 200 and empty, whatever they were; 503 when the end of one is not certain.
   */
  leak(...options: readonly [options?: LeakOptions]): Handler
}

/** Makes the endpoints, in the form that `mount` gives them. Throws `ERR_INVALID_OPTION`. */
export function makeEndpoints<Request, Handler, Claims>(
  authority: EndpointAuthority<Claims>,
  given: readonly [options?: EndpointsOptions<Request>],
  carrier: EndpointAdapter<Request>,
  mount: (answer: (request: Request) => Promise<Answer>) => Handler,
): TokenEndpoints<Request, Handler, Claims> {
  checkEndpointAuthority(authority)
  const shared: Shared<Request, Claims> = {
    authority,
    options: resolveEndpointsOptions(optionsOf(given, 'tokenEndpoints')),
    carrier,
    clock: clockOf(authority),
  }
  const mounted = (endpoint: Endpoint<Request>): Handler => mount(answering(shared, endpoint))
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
