/**
 * What an application's `getToken` may return, and how anything else is handled.
 *
 * @module
 */
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Watchword, WatchwordError } from 'watchword'
import { closeAll, rig } from '../support/harness.js'
import { send } from './client.js'
import { FRAMEWORKS, type SharedOptions } from './servers.js'
import { MALFORMED, MISSING, ours, UNAVAILABLE } from './table.js'

let watchword: Watchword
let token: string

beforeAll(async () => {
  const { watchword: authority } = await rig()
  token = (
    await authority.issue({ policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: [] })
  ).token
  // The clock of the rig stands still; a guard of a wrapped authority takes its deadlines from the system.
  const { authenticate } = authority
  watchword = { ...authority, authenticate: (...args) => authenticate(...args) }
})
afterAll(closeAll)

const never = () => new Promise<string>(() => {})
const oops = (): never => {
  throw new Error('oops')
}
// Built from an entry, because the linter reports an object literal with a `then`.
const thenable = (then: unknown) => () => Object.fromEntries([['then', then]]) as object
const throwing = () => Object.defineProperty({}, 'then', { get: oops })

/** Values that are rejected as a mistake in the application. */
const MISTAKES: readonly (readonly [string, () => unknown])[] = [
  ['a thenable that calls back', thenable((resolve: (text: string) => void) => resolve(token))],
  ['a thenable that never calls back', thenable(() => undefined)],
  ['a thenable whose then throws', thenable(oops)],
  ['an object whose then is a getter that throws', throwing],
  ['a function with a then', () => Object.assign(() => token, thenable(() => undefined)())],
  ['a promise of a function', async () => () => token],
  ['a function', () => () => token],
  ['a symbol', () => Symbol('token')],
  ['a bigint', () => 1n],
  ['a promise that rejects', async () => oops()],
  ['a promise that rejects with undefined', () => Promise.reject(undefined)],
  ['a promise that never settles', never],
  [
    'a promise whose own then does nothing',
    () => Object.assign(never(), thenable(() => undefined)()),
  ],
  ['a promise whose own then throws', () => Object.assign(never(), thenable(oops)())],
]

describe.each(FRAMEWORKS)('$name', (framework) => {
  async function outcomeOf(getToken: unknown, more: SharedOptions = {}) {
    const errors: unknown[] = []
    const options = {
      getToken,
      timeout: '50ms',
      onError: (error: unknown) => void errors.push(error),
      ...more,
    } as SharedOptions
    const server = await framework.serve({ authority: watchword, routes: { '/orders': options } })
    const reply = ours(await send(server.port, {}))
    await server.close()
    return { reply, ran: server.ran(), errors }
  }

  it('responds with 503 and reports the error for each mistake of getToken', async () => {
    for (const [name, getToken] of MISTAKES) {
      const { reply, ran, errors } = await outcomeOf(getToken, { optional: true })
      expect([name, reply, ran, errors.length]).toEqual([name, UNAVAILABLE, 0, 1])
    }
  })

  it('awaits a native promise, also one of another realm', async () => {
    const foreign = runInNewContext('(text) => Promise.resolve(text)') as (text: string) => unknown
    for (const getToken of [() => token, async () => token, () => foreign(token)]) {
      const { reply, ran } = await outcomeOf(getToken)
      expect([reply.body, ran]).toEqual(['svc_billing', 1])
    }
    for (const getToken of [async () => undefined, async () => null, async () => '']) {
      expect(await outcomeOf(getToken)).toEqual({ reply: MISSING, ran: 0, errors: [] })
    }
  })

  it('rejects values that a client can send as JSON, without reporting an error', async () => {
    for (const value of [42, false, [token], { token }, { ok: true, auth: {} }]) {
      for (const getToken of [() => value, async () => value]) {
        expect(await outcomeOf(getToken, { optional: true })).toEqual({
          reply: MALFORMED,
          ran: 0,
          errors: [],
        })
      }
    }
  })
})

describe('the error of a mistake', () => {
  it('has a code, names the kind of value, and contains no token', async () => {
    const [framework] = FRAMEWORKS
    const errors: unknown[] = []
    const secret = { token, ...thenable(() => undefined)() }
    const options = {
      getToken: () => secret as never,
      onError: (error: unknown) => void errors.push(error),
    }
    const server = await framework?.serve({ authority: watchword, routes: { '/orders': options } })
    await send(server?.port ?? 0, {})
    await server?.close()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(WatchwordError)
    expect(errors[0]).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message:
        'getToken: expected a string, undefined or a native promise, got another thenable; make it an async function, or wrap the value in Promise.resolve()',
    })
    expect(String(errors[0])).not.toContain(token)
  })
})
