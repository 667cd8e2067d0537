/**
 * Authorities that an application wraps to reject more: a guard calls the wrapper.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import type { EndpointAuthority } from '../../src/http/endpoints/options.js'
import { closeAll, rig } from '../support/harness.js'
import { send } from './client.js'
import { ENDPOINT_FRAMEWORKS, PATHS } from './endpoints-servers.js'
import { FRAMEWORKS, type Framework } from './servers.js'

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }
const DENIED = { ok: false, code: 'revoked' } as const

let watchword: Watchword
let token: string

beforeAll(async () => {
  watchword = (await rig()).watchword
  token = (await watchword.issue(INPUT)).token
})
afterAll(closeAll)

type Authenticate = Watchword['authenticate']

const deny: Authenticate = async () => DENIED

/** A wrapper written as a class: its methods are on a prototype, and use `this`. */
class DenyList implements EndpointAuthority {
  readonly #inner: Watchword
  readonly #denied: ReadonlySet<string>

  constructor(inner: Watchword, denied: readonly string[]) {
    this.#inner = inner
    this.#denied = new Set(denied)
  }

  async authenticate(...[presented, requirement, context]: Parameters<Authenticate>) {
    if (this.#denied.has(presented as string)) return DENIED
    return this.#inner.authenticate(presented, requirement, context)
  }

  require(requirement: Parameters<Watchword['require']>[0]) {
    return this.#inner.require(requirement)
  }

  rotate(...args: Parameters<Watchword['rotate']>) {
    return this.#inner.rotate(...args)
  }

  revoke(...args: Parameters<Watchword['revoke']>) {
    return this.#inner.revoke(...args)
  }
}

const WRAPPERS: readonly (readonly [string, () => EndpointAuthority])[] = [
  ['a copy with another function', () => ({ ...watchword, authenticate: deny })],
  [
    'a function that carries the properties of the original',
    () => ({ ...watchword, authenticate: copyOf(watchword.authenticate) }),
  ],
  [
    'a Proxy of the function',
    () => ({
      ...watchword,
      authenticate: new Proxy(watchword.authenticate, { apply: () => deny('') }),
    }),
  ],
  [
    'a Proxy of the authority',
    () =>
      // Over a copy: the authority itself is frozen, and a Proxy must return its properties as they are.
      new Proxy(
        { ...watchword },
        {
          get: (target, name) => (name === 'authenticate' ? deny : Reflect.get(target, name)),
        },
      ),
  ],
  [
    'an object that inherits from the authority',
    () => Object.create(watchword, { authenticate: { value: deny } }) as EndpointAuthority,
  ],
  ['a class', () => new DenyList(watchword, [token])],
  ['a bound function', () => ({ ...watchword, authenticate: deny.bind(undefined) })],
]

function copyOf(original: Authenticate): Authenticate {
  const copy: Authenticate = (...args) => deny(...args)
  Object.defineProperties(copy, Object.getOwnPropertyDescriptors(original))
  return Object.setPrototypeOf(copy, Object.getPrototypeOf(original) as object) as Authenticate
}

describe.each(FRAMEWORKS)('$name', (framework) => {
  it.each(WRAPPERS)('rejects what the wrapper rejects, when it is %s', async (_name, wrap) => {
    expect(await statusOf(framework, wrap())).toEqual([401, 0])
  })
})

describe('a wrapper', () => {
  const framework = FRAMEWORKS.find(({ name }) => name === 'node:http') as Framework

  it('that is replaced after the guard was made is called from then on', async () => {
    const authority: { -readonly [Name in keyof Watchword]: Watchword[Name] } = { ...watchword }
    const server = await framework.serve({ authority, routes: { '/orders': {} } })
    const headers = [`authorization: Bearer ${token}`]
    expect((await send(server.port, { headers })).status).toBe(200)
    authority.authenticate = deny
    expect((await send(server.port, { headers })).status).toBe(401)
    await server.close()
  })

  it('that rejects nothing accepts a valid token, in any form', async () => {
    const inner = watchword.authenticate
    const forms: EndpointAuthority[] = [
      { ...watchword },
      { ...watchword, authenticate: (...args) => inner(...args) },
      { ...watchword, authenticate: inner.bind(undefined) },
      new Proxy(watchword, {}),
      Object.create(watchword) as EndpointAuthority,
      new DenyList(watchword, []),
    ]
    for (const authority of forms) expect(await statusOf(framework, authority)).toEqual([200, 1])
  })

  it('that compiles requirements itself reads them in its own way', async () => {
    // It demands a scope that no route requires.
    const strict = {
      ...watchword,
      require: () => watchword.require({ scopes: ['admin:all'] }),
    }
    expect(await statusOf(framework, strict)).toEqual([403, 0])
    const plain = { ...watchword, require: (requirement: object) => requirement } as never
    expect(await statusOf(framework, plain)).toEqual([200, 1])
  })

  it('written as a class serves the endpoints', async () => {
    for (const served of ENDPOINT_FRAMEWORKS) {
      const issued = await watchword.issue(INPUT)
      const { port, close } = await served.serve({ authority: new DenyList(watchword, []) })
      const rotated = await send(port, {
        method: 'POST',
        path: PATHS.rotation,
        headers: [`authorization: Bearer ${issued.token}`],
      })
      expect([served.name, rotated.status]).toEqual([served.name, 200])
      await close()
    }
  })
})

async function statusOf(framework: Framework, authority: EndpointAuthority) {
  const server = await framework.serve({ authority, routes: { '/orders': {} } })
  const { status } = await send(server.port, { headers: [`authorization: Bearer ${token}`] })
  await server.close()
  return [status, server.ran()]
}
