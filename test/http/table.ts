/**
 * The requests to which every framework must reply alike, and each exact reply.
 *
 * @module
 */
import type { Reply, Sent } from './client.js'
import type { SharedOptions } from './servers.js'

/** The compared parts: the status, our headers, and the body. */
export interface Expected {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** One request. */
export interface Row {
  readonly name: string
  readonly sent: Sent
  readonly expected: Expected
  /** Only where a body parser ran before the guard. */
  readonly parsedForm?: true
}

/** The tokens that the requests carry. */
export interface Tokens {
  /** Valid, with `orders:read` and `eu:read`. */
  readonly good: string
  /** Valid, another one. */
  readonly other: string
  /** Valid, with `orders:*`. */
  readonly wide: string
  /** Valid, without a scope. */
  readonly bare: string
  /** Valid, bound to `thumbprint`. */
  readonly bound: string
  readonly expired: string
  readonly early: string
  readonly revoked: string
  /** Suspended, with the scopes of the good one. */
  readonly suspended: string
  /** Restricted to no scope of its own. */
  readonly restricted: string
  readonly superseded: string
  /** From an authority with other keys. */
  readonly foreign: string
}

/** The guarded routes. */
export const ROUTES: Readonly<Record<string, SharedOptions>> = {
  '/orders': { scopes: ['orders:read'] },
  '/any': { scopes: { allOf: ['orders:read'], anyOf: ['us:read', 'us:write'] } },
  '/plain': {},
  '/optional': { optional: true, scopes: ['orders:read'] },
  '/reasons': { reasons: true, scopes: ['orders:read'] },
  '/elsewhere': { audience: 'stock-api' },
  '/bound': { binding: 'thumbprint' },
  '/stored': { freshness: 'store' },
  '/named': {
    realm: 'say "a\\b"',
    resourceMetadata: 'https://api.example/.well-known/oauth-protected-resource',
    scopes: ['orders:read'],
  },
}

const OURS = ['www-authenticate', 'cache-control', 'content-type', 'retry-after']

/** The compared part of a reply. */
export function ours({ status, headers, body }: Reply): Required<Expected> {
  const kept = OURS.flatMap((name) =>
    headers[name] === undefined ? [] : [[name, headers[name]] as const],
  )
  return { status, headers: Object.fromEntries(kept), body }
}

const problem = (challenge: string) => ({
  'www-authenticate': challenge,
  'cache-control': 'no-store',
  'content-type': 'application/problem+json',
})

export const MISSING: Expected = {
  status: 401,
  headers: problem('Bearer realm="api"'),
  body: '{"type":"about:blank","title":"Unauthorized","status":401}',
}
export const MALFORMED: Expected = {
  status: 400,
  headers: problem('Bearer realm="api", error="invalid_request"'),
  body: '{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid_request","detail":"Send one token, in one header: Authorization: Bearer <token>."}',
}
export const INVALID: Expected = {
  status: 401,
  headers: problem('Bearer realm="api", error="invalid_token"'),
  body: '{"type":"about:blank","title":"Unauthorized","status":401,"code":"invalid_token","detail":"The token was not accepted."}',
}
export const UNAVAILABLE: Expected = {
  status: 503,
  headers: {
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    'retry-after': '1',
  },
  body: '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"temporarily_unavailable","detail":"The token cannot be checked right now. Try again."}',
}
const scope = (scopes: string): Expected => ({
  status: 403,
  headers: problem(`Bearer realm="api", error="insufficient_scope", scope="${scopes}"`),
  body: '{"type":"about:blank","title":"Forbidden","status":403,"code":"insufficient_scope","detail":"The token does not cover this request."}',
})
const because = (reason: string): Expected => ({
  status: 401,
  headers: problem(`Bearer realm="api", error="invalid_token", error_description="${reason}"`),
  body: `{"type":"about:blank","title":"Unauthorized","status":401,"code":"invalid_token","detail":"The token was not accepted.","reason":"${reason}"}`,
})
const passes = (subject: string): Expected => ({ status: 200, body: subject })
/** Without the body, which `HEAD` does not have. */
const headless = ({ status, headers = {} }: Expected): Expected => ({ status, headers, body: '' })
/** Rejected by Node itself, before any framework sees it. */
const byServer = (status: number): Expected => ({ status })

const OK = passes('svc_billing')

/** Every request, with its reply. */
export function table(tokens: Tokens): readonly Row[] {
  const { good, other } = tokens
  const rows: Row[] = []
  const row = (name: string, sent: Sent, expected: Expected) => rows.push({ name, sent, expected })
  /** Whole values of the Authorization header, one or more. */
  const values = (name: string, list: readonly string[], expected: Expected, path = '/orders') =>
    row(name, { path, headers: list.map((value) => `authorization: ${value}`) }, expected)
  const bearer = (name: string, token: string, expected: Expected, path = '/orders') =>
    values(name, [`Bearer ${token}`], expected, path)

  bearer('a good token', good, OK)
  bearer('a wildcard that covers', tokens.wide, OK)
  bearer('no demand but a token', tokens.bare, OK, '/plain')
  bearer('a bound token where it is bound to', tokens.bound, OK, '/bound')
  bearer('the store is asked', good, OK, '/stored')
  row('no header', {}, MISSING)
  values('an empty header', [''], MISSING)

  // The scheme must be Bearer, in any case, followed by one space and a b64token.
  for (const scheme of ['bearer', 'BEARER', 'bEaReR']) values(scheme, [`${scheme} ${good}`], OK)
  for (const name of ['AUTHORIZATION', 'Authorization', 'aUTHORIZATION']) {
    row(`the header is called ${name}`, { headers: [`${name}: Bearer ${good}`] }, OK)
  }
  for (const scheme of ['Basic', 'Token', 'Digest', 'DPoP', 'Bearers', 'Bear', 'Bearer-x', 'JWT']) {
    values(`the scheme ${scheme}`, [`${scheme} ${good}`], MISSING)
  }
  values('no scheme', [good], MISSING)
  values('no space', [`Bearer${good}`], MISSING)
  values('the scheme alone', ['Bearer'], MALFORMED)
  values('the scheme and white space', ['Bearer   '], MALFORMED)
  values('two spaces', [`Bearer  ${good}`], MALFORMED)
  values('a tab', [`Bearer\t${good}`], MALFORMED)
  values('a space and a tab', [`Bearer \t${good}`], MALFORMED)
  values('a comma after the scheme', [`Bearer,${good}`], MALFORMED)
  values('an equals sign after the scheme', [`Bearer=${good}`], MALFORMED)
  values('a colon after the scheme', [`Bearer: ${good}`], MALFORMED)
  values('a comma list in one header', [`Bearer ${good}, Bearer ${other}`], MALFORMED)
  values('a comma list without a space', [`Bearer ${good},${other}`], MALFORMED)
  values('a comma at the end', [`Bearer ${good},`], MALFORMED)
  values('a list that begins with another scheme', [`Basic eDp5, Bearer ${good}`], MALFORMED)
  values('a comma at the start', [`, Bearer ${good}`], MALFORMED)
  values('trailing junk after a space', [`Bearer ${good} x`], MALFORMED)
  values('a parameter after the token', [`Bearer ${good}; a=b`], MALFORMED)
  values('the token in quotes', [`Bearer "${good}"`], MALFORMED)
  values('the token as a parameter', [`Bearer token="${good}"`], MALFORMED)
  values('a character beyond ASCII', [`Bearer ${good}\u00e9`], MALFORMED)
  values('a no-break space', [`Bearer\u00a0${good}`], MALFORMED)
  values('a percent sign', [`Bearer ${good}%20`], MALFORMED)
  values('white space around the value, which is none of it', [` \t Bearer ${good} \t `], OK)
  values('a NUL', [`Bearer ${good}\0`], byServer(400))
  row('a bare CR', { headers: [`authorization: Bearer ${good}\rx: y`] }, byServer(400))
  row('a space before the colon', { headers: [`authorization : Bearer ${good}`] }, byServer(400))

  // A request may have only one credential.
  values('the header twice', [`Bearer ${good}`, `Bearer ${good}`], MALFORMED)
  values('two headers, two tokens', [`Bearer ${good}`, `Bearer ${other}`], MALFORMED)
  values('two headers, the second no good', [`Bearer ${good}`, 'Bearer x'], MALFORMED)
  values('two headers, the first of another scheme', ['Basic eDp5', `Bearer ${good}`], MALFORMED)
  values('two headers, the second of another scheme', [`Bearer ${good}`, 'Basic eDp5'], MALFORMED)
  values('two headers, one empty', ['', `Bearer ${good}`], MALFORMED)
  values('two headers of another scheme', ['Basic eDp5', 'Basic eDp5'], MALFORMED)
  values('the header twice, optional', [`Bearer ${good}`, 'Bearer x'], MALFORMED, '/optional')
  const mixed = [`authorization: Bearer ${good}`, 'AUTHORIZATION: Bearer x']
  row('two headers in different case', { headers: mixed }, MALFORMED)
  bearer('a token in the query as well', good, MALFORMED, `/orders?access_token=${other}`)
  bearer('an empty token in the query', good, MALFORMED, '/orders?a=b&access_token=')
  bearer('a token in the query, percent-encoded', good, MALFORMED, '/orders?%61ccess_token=x')
  bearer('a query of other things', good, OK, '/orders?token=x&access_tokens=y&q=access_token')
  row('a token in the query alone', { path: `/orders?access_token=${good}` }, MISSING)
  row('a token in a cookie alone', { headers: [`cookie: access_token=${good}`] }, MISSING)
  row('a token in another header', { headers: [`x-authorization: Bearer ${good}`] }, MISSING)
  row('a token for the proxy', { headers: [`proxy-authorization: Bearer ${good}`] }, MISSING)
  const form = ['content-type: application/x-www-form-urlencoded']
  const body = `access_token=${other}`
  rows.push({
    name: 'a token in a form as well',
    sent: { method: 'POST', headers: [...form, `authorization: Bearer ${good}`], body },
    expected: MALFORMED,
    parsedForm: true,
  })
  row('a token in a form alone', { method: 'POST', headers: form, body }, MISSING)

  // A rejection reveals only whether the credentials were missing, malformed, invalid or insufficient.
  bearer('no token', 'x', INVALID)
  bearer('a token cut short', good.slice(0, -1), INVALID)
  bearer('a token with one more character', `${good}A`, INVALID)
  bearer('a token with padding', `${good}=`, INVALID)
  bearer('a forged token', `${good.slice(0, 60)}AAAA${good.slice(64)}`, INVALID)
  bearer('a token that is too long', 'v4.local.'.padEnd(6000, 'A'), INVALID)
  bearer('a header that is too long', 'v4.local.'.padEnd(40_000, 'A'), byServer(431))
  bearer('a JSON Web Token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.', INVALID)
  bearer('an expired token', tokens.expired, INVALID)
  bearer('a token of tomorrow', tokens.early, INVALID)
  bearer('a revoked token', tokens.revoked, INVALID)
  bearer('a suspended token', tokens.suspended, INVALID)
  bearer('a restricted token', tokens.restricted, scope('orders:read'))
  bearer('a restricted token, by the store', tokens.restricted, OK, '/stored')
  bearer('a suspended token, by the store', tokens.suspended, INVALID, '/stored')
  bearer('a suspended token, explained', tokens.suspended, because('suspended'), '/reasons')
  bearer('a superseded token', tokens.superseded, INVALID)
  bearer('a token of unknown keys', tokens.foreign, INVALID)
  bearer('a bound token elsewhere', tokens.bound, INVALID)
  bearer('a free token where one is to be bound', good, INVALID, '/bound')
  bearer('another audience', good, INVALID, '/elsewhere')
  bearer('a revoked token, by the store', tokens.revoked, INVALID, '/stored')
  bearer('no scopes', tokens.bare, scope('orders:read'))
  bearer('none of the alternatives', good, scope('orders:read us:read'), '/any')
  bearer('an expired token, explained', tokens.expired, because('expired'), '/reasons')
  bearer('a revoked token, explained', tokens.revoked, because('revoked'), '/reasons')
  bearer('a superseded token, explained', tokens.superseded, because('superseded'), '/reasons')
  bearer('no token, explained', 'x', because('malformed'), '/reasons')
  bearer('no scopes, where reasons are told', tokens.bare, scope('orders:read'), '/reasons')
  row('no header, where reasons are told', { path: '/reasons' }, MISSING)
  const named = 'Bearer realm="say \\"a\\\\b\\""'
  const metadata = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource"'
  const NAMED = { ...MISSING, headers: problem(`${named}, ${metadata}`) }
  row('a realm in need of escapes', { path: '/named' }, NAMED)
  const namedBad = { ...INVALID, headers: problem(`${named}, error="invalid_token", ${metadata}`) }
  bearer('the metadata beside an error', 'x', namedBad, '/named')

  // Guards apply to every method, and credentials may be optional.
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    row(`${method} without a token`, { method }, MISSING)
    row(`${method} with one`, { method, headers: [`authorization: Bearer ${good}`] }, OK)
  }
  row('HEAD without a token', { method: 'HEAD' }, headless(MISSING))
  row(
    'HEAD with a bad one',
    { method: 'HEAD', headers: ['authorization: Bearer x'] },
    headless(INVALID),
  )
  row('optional, without', { path: '/optional' }, passes('anonymous'))
  row('optional, in the query alone', { path: '/optional?access_token=x' }, passes('anonymous'))
  bearer('optional, a good token', good, OK, '/optional')
  bearer('optional, a bad token', 'x', INVALID, '/optional')
  bearer('optional, a revoked token', tokens.revoked, INVALID, '/optional')
  bearer('optional, too few scopes', tokens.bare, scope('orders:read'), '/optional')
  values('optional, another scheme', ['Basic eDp5'], MISSING, '/optional')
  values('optional, an empty header', [''], MISSING, '/optional')
  values('optional, the scheme alone', ['Bearer'], MALFORMED, '/optional')

  // The client cannot choose its identity.
  const claims = ['x-user-id: root', 'x-auth: root', 'x-subject: root', 'x-forwarded-user: root']
  row(
    'identity in headers, with a token',
    { headers: [...claims, `authorization: Bearer ${good}`] },
    OK,
  )
  row('identity in headers, without', { headers: claims }, MISSING)
  row('identity in headers, optional', { path: '/optional', headers: claims }, passes('anonymous'))
  return rows
}
