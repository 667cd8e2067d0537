/**
 * A field that is present and `undefined` is a mistake everywhere: it never means "no requirement" or "everything".
 *
 * @module
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  createWatchword,
  type Requirement,
  type RevokeTarget,
  type Watchword,
  type WatchwordOptions,
} from 'watchword'
import { requireToken } from 'watchword/node'
import type * as z from 'zod/mini'
import {
  cacheSchema,
  keysSchema,
  optionsSchema,
  policySchema,
} from '../../../src/options/schema.js'
import { ready } from '../../../src/paseto.js'
import { activeKey, closeAll, codeOf, failureOf, rig, verdict } from '../../support/harness.js'

beforeAll(() => ready)
afterEach(closeAll)

const OPTIONS = {
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
} as const

/** The fields of a schema made by `strict`. */
function fieldsOfSchema(schema: z.ZodMiniType): string[] {
  const { in: read } = (schema as z.ZodMiniPipe)._zod.def
  const { out: object } = (read as z.ZodMiniPipe)._zod.def
  return Object.keys((object as unknown as z.ZodMiniObject)._zod.def.shape)
}

describe('an explicit undefined', () => {
  const options = fieldsOfSchema(optionsSchema)
  it.each(options)('as the option %s is rejected', async (field) => {
    expect(options.length).toBeGreaterThan(18)
    const given = { ...OPTIONS, [field]: undefined } as unknown as WatchwordOptions
    const error = (await failureOf(() => createWatchword(given))) as Error
    expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION' })
    expect(error.message).toContain(`${field}: it is undefined`)
  })

  it.each(fieldsOfSchema(policySchema))(
    'as the field %s of a policy is rejected',
    async (field) => {
      const policy = { ...OPTIONS.policies.service, [field]: undefined }
      const given = { ...OPTIONS, policies: { service: policy } } as unknown as WatchwordOptions
      expect(await codeOf(() => createWatchword(given))).toBe('ERR_INVALID_OPTION')
    },
  )

  it.each([
    ...fieldsOfSchema(keysSchema).map((field) => ['keys', field] as const),
    ...fieldsOfSchema(cacheSchema).map((field) => ['cache', field] as const),
  ])('as %s.%s is rejected', async (group, field) => {
    const given = { ...OPTIONS, [group]: { [field]: undefined } } as unknown as WatchwordOptions
    expect(await codeOf(() => createWatchword(given))).toBe('ERR_INVALID_OPTION')
  })

  it.each([
    ...['policy', 'subject', 'actor', 'scopes', 'audience', 'ttl', 'notBefore', 'binding'],
    'claims',
  ])('as %s of an issue is rejected', async (field) => {
    const { watchword } = await rig()
    const input = { policy: 'service', subject: 's', actor: 'a', [field]: undefined } as never
    expect(await codeOf(() => watchword.issue(input))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => watchword.issueMany([input]))).toBe('ERR_INVALID_ARGUMENT')
  })

  it.each(['actor', 'scopes', 'ttl', 'binding'])(
    'as %s of a rotation is rejected',
    async (field) => {
      const { watchword } = await rig()
      const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
      const given = { actor: 'a', [field]: undefined } as never
      expect(await codeOf(() => watchword.rotate(token, given))).toBe('ERR_INVALID_ARGUMENT')
    },
  )

  it.each([...['subject', 'family', 'policy', 'audience', 'keyId', 'live', 'limit', 'after']])(
    'as the filter %s lists nothing',
    async (field) => {
      const { watchword } = await rig()
      const query = { [field]: undefined } as never
      expect(await codeOf(() => watchword.tokens.list(query))).toBe('ERR_INVALID_ARGUMENT')
    },
  )

  it('as the whole filter, audience of new keys, requirement or target does nothing', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
    const nothing = undefined as never
    expect(await codeOf(() => watchword.tokens.list(nothing))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => watchword.keys.rotate(nothing))).toBe('ERR_UNKNOWN_AUDIENCE')
    expect(await codeOf(() => watchword.revoke(nothing, { actor: 'a' }))).toBe(
      'ERR_INVALID_ARGUMENT',
    )
    expect(await codeOf(() => watchword.require(nothing))).toBe('ERR_INVALID_ARGUMENT')
    expect(await codeOf(() => watchword.authenticate(token, nothing))).toBe('ERR_INVALID_ARGUMENT')
    expect(verdict(watchword.verify(token, nothing))).toBe('insufficient_scope')
    expect(verdict(watchword.verify(token))).toBe('ok')
    expect((await watchword.authenticate(token)).ok).toBe(true)
    expect(watchword.keys.list()).toHaveLength(1)
  })

  it.each(['actor', 'reason', 'binding', 'waitFor', 'timeout'])(
    'as %s of a revocation revokes nothing',
    async (field) => {
      const { watchword } = await rig()
      const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
      const given = { actor: 'a', [field]: undefined } as never
      expect(await codeOf(() => watchword.revoke({ token }, given))).toBe('ERR_INVALID_ARGUMENT')
      expect(verdict(watchword.verify(token))).toBe('ok')
    },
  )

  it.each(['token', 'id', 'family', 'subject', 'key', 'audience', 'all'])(
    'as the target %s, alone or beside another one, revokes nothing',
    async (field) => {
      const { watchword } = await rig()
      const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
      const other = field === 'key' ? { subject: 's' } : { key: activeKey(watchword) }
      for (const target of [{ [field]: undefined }, { ...other, [field]: undefined }]) {
        const aim = target as unknown as RevokeTarget
        expect(await codeOf(() => watchword.revoke(aim, { actor: 'a' }))).toBe(
          'ERR_INVALID_ARGUMENT',
        )
      }
      expect(verdict(watchword.verify(token))).toBe('ok')
    },
  )

  it.each(['scopes', 'audience', 'binding', 'maxStaleness', 'minPosition', 'freshness'])(
    'as %s of a requirement rejects every token, at any position',
    async (field) => {
      const { watchword } = await rig()
      const { token } = await watchword.issue({ policy: 'service', subject: 's', actor: 'a' })
      class Inherited {
        get [field]() {
          return undefined
        }
      }
      const hidden = Object.defineProperty({}, field, { value: undefined })
      for (const needs of [{ [field]: undefined }, new Inherited(), hidden] as Requirement[]) {
        expect(verdict(watchword.verify(token, needs))).toBe('insufficient_scope')
        expect(await codeOf(() => watchword.authenticate(token, needs))).toBe(
          'ERR_INVALID_ARGUMENT',
        )
        expect(await codeOf(() => watchword.require(needs))).toBe('ERR_INVALID_ARGUMENT')
        await expect(failureOf(() => requireToken(watchword, needs))).resolves.toMatchObject({
          code: expect.stringMatching(/ERR_INVALID_(ARGUMENT|OPTION)/) as string,
        })
      }
    },
  )

  it('is named in the message, together with the fix', async () => {
    const watchword: Watchword = (await rig()).watchword
    const error = await failureOf(() => watchword.require({ scopes: undefined } as never))
    expect(String(error)).toContain('scopes: it is undefined: set a value, or leave the field out')
  })
})
