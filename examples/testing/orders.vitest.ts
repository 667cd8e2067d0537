/**
 * The test of testing.ts in Vitest. In a project of your own the file is called orders.test.ts.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { type ManualClock, manualClock } from 'watchword/testkit'
import { createApp, createAuthority } from './orders.js'

const alice = { policy: 'session', subject: 'alice', scopes: ['orders:read'], actor: 'test' }

describe('the orders service', () => {
  let clock: ManualClock
  let watchword: Watchword

  // The clock is an option of the library. `vi.useFakeTimers` would also stop the timers of the server.
  beforeEach(async () => {
    clock = manualClock(Date.UTC(2026, 0, 1))
    watchword = await createAuthority({ clock })
  })
  afterEach(() => watchword.close())

  it('rejects a token from the millisecond in which it expires', async () => {
    const { token } = await watchword.issue(alice)
    await clock.advance(15 * 60_000 - 1)
    expect(watchword.verify(token)).toMatchObject({ ok: true, subject: 'alice' })
    await clock.advance(1)
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'expired' })
  })

  it('returns the challenge of RFC 6750 with a 401', async () => {
    const server = createApp(watchword).listen(0)
    await once(server, 'listening')
    const url = `http://localhost:${(server.address() as AddressInfo).port}/orders`
    const response = await fetch(url, { headers: { authorization: 'Bearer no-such-token' } })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"')
    server.close()
  })
})
