import { afterEach, describe, expect, it } from 'vitest'
import { closeAll, DAY, failureOf, HOUR, rig, START } from '../../support/harness.js'

afterEach(closeAll)

const POLICIES = { job: { ttl: '1h', maxLifetime: '30d', scopes: ['orders:read'] } } as const
const INPUT = { policy: 'job', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }

async function issuedWith(wish: object) {
  const { watchword } = await rig({ policies: POLICIES })
  const { id } = await watchword.issue({ ...INPUT, ...wish })
  const record = await watchword.tokens.get(id)
  if (record === undefined) throw new Error('the token has no record')
  return record
}

describe('the lifetime of a family', () => {
  it('is the maximum of the policy unless the caller asks for a shorter one', async () => {
    expect((await issuedWith({})).familyExpiresAt).toBe(START + 30 * DAY)
    expect((await issuedWith({ maxLifetime: '2d' })).familyExpiresAt).toBe(START + 2 * DAY)
    expect((await issuedWith({ maxLifetime: '30d' })).familyExpiresAt).toBe(START + 30 * DAY)
  })

  it('rejects a maxLifetime above the maximum of the policy and names both durations', async () => {
    expect(await failureOf(() => issuedWith({ maxLifetime: '31d' }))).toMatchObject({
      code: 'ERR_TTL_TOO_LONG',
      message: expect.stringMatching(/^maxLifetime: .*31d.* policy 'job', which is .*30d/),
    })
  })
})

describe('the lifetime of a token', () => {
  it('is the ttl of the policy unless the caller asks for a shorter one', async () => {
    expect((await issuedWith({})).expiresAt).toBe(START + HOUR)
    expect((await issuedWith({ ttl: '30m' })).expiresAt).toBe(START + HOUR / 2)
  })

  it('rejects a ttl above that of the policy and names both durations', async () => {
    expect(await failureOf(() => issuedWith({ ttl: '2h' }))).toMatchObject({
      code: 'ERR_TTL_TOO_LONG',
      message: expect.stringMatching(/^ttl: .*2h.* policy 'job', which is .*1h/),
    })
  })
})
