import { afterEach, describe, expect, it } from 'vitest'
import { buildParts } from '../../../src/authority/wiring.js'
import { resolveOptions } from '../../../src/options/options.js'
import { lookUpKeyOf, policyOf, rejected } from '../../../src/verbs/core.js'
import { newRootKey } from '../../support/fleet.js'
import { AUDIENCE, closeAll, ISSUER, rig, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const POLICIES = {
  service: { ttl: '1h', scopes: [] },
  session: { ttl: '1h', scopes: [] },
} as const

/** The parts of an authority that was not started, so no key is loaded. */
const parts = (store = sharedStore()) =>
  buildParts(
    resolveOptions({
      issuer: ISSUER,
      audience: AUDIENCE,
      policies: POLICIES,
      rootKey: newRootKey(),
      store,
    }),
  )

describe('the policy of a name', () => {
  it('is the configured one, and any other name is an error that lists them', () => {
    const core = parts()
    expect(policyOf(core, 'session')).toMatchObject({ name: 'session', ttlMs: 3_600_000 })
    expect(() => policyOf(core, 'servce')).toThrow(
      "policy: 'servce' is not configured (configured: service, session)",
    )
  })
})

describe('the error for a rejected token', () => {
  it('points out the mistake in a malformed token', () => {
    expect(rejected('malformed', 'Bearer abc')).toMatchObject({
      code: 'ERR_TOKEN_REJECTED',
      reason: 'malformed',
      message: expect.stringMatching(/^the token was rejected as malformed: the token begins with/),
    })
  })

  it('states only the reason if the token has no such mistake, or was rejected for another reason', () => {
    expect(rejected('malformed', 'abc').message).toBe('the token was rejected as malformed')
    expect(rejected('malformed').message).toBe('the token was rejected as malformed')
    expect(rejected('expired', 'Bearer abc').message).toBe('the token was rejected as expired')
  })
})

describe('the key of a token', () => {
  it('is looked up in the store once the token names one, and never for other text', async () => {
    const { watchword } = await rig({ policies: POLICIES })
    const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
    const inner = sharedStore()
    let reads = 0
    const core = parts({
      ...inner,
      listKeys: async (...args) => {
        reads++
        return inner.listKeys(...args)
      },
    })
    for (const text of ['', 'abc', 'v4.local.abc', undefined, {}]) await lookUpKeyOf(core, text)
    expect(reads).toBe(0)
    await lookUpKeyOf(core, token)
    expect(reads).toBe(1)
  })
})
