import { describe, expectTypeOf, it } from 'vitest'
import {
  createWatchword,
  type IssuedToken,
  type Rejected,
  type RejectionCode,
  type RevokePreview,
  type RevokeReceipt,
  type Verified,
  type VerifyResult,
  type Watchword,
  type WatchwordError,
  type WatchwordErrorCode,
} from 'watchword'
import { importKey, keyId, type LocalKey } from 'watchword/paseto'
import * as z from 'zod'

const policies = { job: { ttl: '1h', scopes: [] } } as const
const base = { issuer: 'https://auth.example', audience: 'api', policies } as const
const schema = z.object({ tenant: z.string(), plan: z.string().default('free') })

// Never called: what is inside is only compiled.
async function compiled() {
  const typed = await createWatchword({ ...base, claims: schema })
  const plain = await createWatchword(base)
  return { typed, plain }
}

describe('the public types', () => {
  it('infer the custom claims from the schema, its output to read and its input to write', () => {
    type Typed = Awaited<ReturnType<typeof compiled>>['typed']
    type Claims = Extract<ReturnType<Typed['verify']>, { ok: true }>['claims']
    expectTypeOf<Claims>().toEqualTypeOf<{ tenant: string; plan: string }>()
    type Input = NonNullable<Parameters<Typed['issue']>[0]['claims']>
    expectTypeOf<Input>().toEqualTypeOf<{ tenant: string; plan?: string | undefined }>()
  })

  it('leave the claims open without a schema, and not `any`', () => {
    type Plain = Awaited<ReturnType<typeof compiled>>['plain']
    expectTypeOf<Plain>().toEqualTypeOf<Watchword>()
    expectTypeOf<Verified['claims']>().toEqualTypeOf<Readonly<Record<string, unknown>>>()
    expectTypeOf<Verified['claims'][string]>().toBeUnknown()
  })

  it('narrow a result by `ok`, and a refusal by its code', () => {
    expectTypeOf<Extract<VerifyResult, { ok: false }>>().toEqualTypeOf<Rejected>()
    type Scoped = Extract<Rejected, { code: 'insufficient_scope' }>
    expectTypeOf<Scoped['missing']>().toEqualTypeOf<readonly string[]>()
    expectTypeOf<Rejected['code']>().toEqualTypeOf<RejectionCode>()
  })

  it('tell a dry run from a revocation by the option', () => {
    // Never called: what is inside is only compiled.
    const revoke = async (watchword: Watchword, dryRun: boolean) => ({
      real: await watchword.revoke({ all: true }, { actor: 'ops' }),
      explicit: await watchword.revoke({ all: true }, { actor: 'ops', dryRun: false }),
      dry: await watchword.revoke({ all: true }, { actor: 'ops', dryRun: true }),
      either: await watchword.revoke({ all: true }, { actor: 'ops', dryRun }),
    })
    type Results = Awaited<ReturnType<typeof revoke>>
    expectTypeOf<Results['real']>().toEqualTypeOf<RevokeReceipt>()
    expectTypeOf<Results['explicit']>().toEqualTypeOf<RevokeReceipt>()
    expectTypeOf<Results['dry']>().toEqualTypeOf<RevokePreview>()
    expectTypeOf<Results['either']>().toEqualTypeOf<RevokeReceipt | RevokePreview>()
  })

  it('close the list of error codes', () => {
    expectTypeOf<WatchwordError['code']>().toEqualTypeOf<WatchwordErrorCode>()
    expectTypeOf<string>().not.toExtend<WatchwordErrorCode>()
  })

  it('keep keys opaque: bytes and texts are none', () => {
    expectTypeOf(keyId).parameter(0).toEqualTypeOf<LocalKey>()
    expectTypeOf(importKey).returns.toEqualTypeOf<LocalKey>()
    expectTypeOf<Uint8Array>().not.toExtend<LocalKey>()
    expectTypeOf<string>().not.toExtend<LocalKey>()
  })

  it('hand the token out as a string that cannot be set', () => {
    expectTypeOf<IssuedToken['token']>().toBeString()
    const _forge = (issued: IssuedToken) => {
      // @ts-expect-error It is only read.
      issued.token = 'v4.local.forged'
    }
    expectTypeOf(_forge).toBeFunction()
  })

  it('refuse what the options refuse', () => {
    // @ts-expect-error A policy without a ttl would be immortal.
    const _immortal = () => createWatchword({ ...base, policies: { job: { scopes: [] } } })
    // @ts-expect-error The actor is required: every change says who.
    const _nameless = async (w: Watchword) => w.issue({ policy: 'job', subject: 'svc' })
    // @ts-expect-error Exactly one target.
    const _aimless = async (w: Watchword) => w.revoke({}, { actor: 'ops' })
    expectTypeOf(_immortal).toBeFunction()
    expectTypeOf(_nameless).toBeFunction()
    expectTypeOf(_aimless).toBeFunction()
  })
})
