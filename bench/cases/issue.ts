/**
 * Issue: from a subject and scopes to a token.
 *
 * @module
 */
import { createSigner } from 'fast-jwt'
import { SignJWT } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { encrypt } from 'paseto-ts/v4'
import { createWatchword, type IssuedToken, memoryStore, type Watchword } from '../../src/index.js'
import { accepts, demand } from '../expect.js'
import { AUDIENCE, createFixture, type Fixture, ISSUER, POLICIES, SCOPE } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { pasetoTs, pasetoTsKey } from '../paseto-peers.js'
import { fastJwt, type JwtKeys, jwtClaims, jwtKeys } from '../peers.js'
import type { Case } from '../results.js'

const IN_FLIGHT = 100

export const issue: Case = {
  name: 'issue',
  async run(settings) {
    const fixture = await createFixture()
    const keys = await jwtKeys()
    const contenders = [
      await oneByOne(),
      await together(),
      ...jwtSigners(fixture, keys),
      pasetoTsSealer(fixture),
    ]
    const outcome = await compete(contenders, settings)
    await fixture.close()
    return {
      name: 'issue',
      title: 'Issue',
      about: [
        'Ours checks the policy and the scopes, makes the id, seals, and awaits the memory store; the',
        'peers turn finished claims into a token, and keep nothing.',
      ],
      figures: [],
      ...outcome,
    }
  },
}

/** An authority that is new in each round, so that the records of the last one are not carried along. */
async function renewable(): Promise<{
  readonly prepare: () => Promise<void>
  readonly issueNext: () => Promise<IssuedToken>
}> {
  let watchword: Watchword | undefined
  let count = 0
  const prepare = async () => {
    await watchword?.close()
    const options = { issuer: ISSUER, audience: AUDIENCE, policies: POLICIES }
    watchword = await createWatchword({ ...options, store: memoryStore() })
  }
  const issueNext = () => {
    const subject = `svc_${String(count++ % 100_000).padStart(5, '0')}`
    const input = { policy: 'service', subject, scopes: [SCOPE], actor: 'bench' }
    return (watchword as Watchword).issue(input)
  }
  await prepare()
  const first = await issueNext()
  const result = (watchword as unknown as Watchword).verify(first.token, { scopes: [SCOPE] })
  demand('watchword', accepts(result, { subject: 'svc_00000', id: first.id }))
  return { prepare, issueNext }
}

async function oneByOne(): Promise<Contender> {
  const { prepare, issueNext } = await renewable()
  const callAsync = async () => ((await issueNext()).token.length > 400 ? 1 : 0)
  return { name: 'watchword, one by one', kind: 'ours', prepare, callAsync }
}

async function together(): Promise<Contender> {
  const { prepare, issueNext } = await renewable()
  const callAsync = async () => {
    const issued = await Promise.all(Array.from({ length: IN_FLIGHT }, issueNext))
    return issued.filter(({ token }) => token.length > 400).length
  }
  const perCall = IN_FLIGHT
  return { name: `watchword, ${IN_FLIGHT} in flight`, kind: 'ours', perCall, prepare, callAsync }
}

function jwtSigners({ issued }: Fixture, keys: JwtKeys): Contender[] {
  const verify = fastJwt(keys, false)
  const subject = issued[0]?.subject
  const check = (name: string, token: string) => {
    demand(name, verify(token).sub === subject)
    return token.length
  }
  const fast = createSigner({ key: keys.bytes, algorithm: 'HS256' })
  const jose = (one: IssuedToken) =>
    new SignJWT({ ...jwtClaims(one) }).setProtectedHeader({ alg: 'HS256' }).sign(keys.cryptoKey)
  const plain = (one: IssuedToken) =>
    jsonwebtoken.sign(jwtClaims(one), keys.keyObject, { algorithm: 'HS256' })
  const one = issued[0] as IssuedToken
  check('fast-jwt', fast(jwtClaims(one)))
  check('jsonwebtoken', plain(one))
  const nextFast = cycle(issued)
  const nextJose = cycle(issued)
  const nextPlain = cycle(issued)
  return [
    {
      name: 'jose HS256',
      kind: 'peer',
      prepare: async () => void check('jose', await jose(one)),
      callAsync: async () => ((await jose(nextJose())).length > 300 ? 1 : 0),
    },
    {
      name: 'fast-jwt HS256',
      kind: 'peer',
      call: () => (fast(jwtClaims(nextFast())).length > 300 ? 1 : 0),
    },
    {
      name: 'jsonwebtoken HS256',
      kind: 'peer',
      call: () => (plain(nextPlain()).length > 300 ? 1 : 0),
    },
  ]
}

function pasetoTsSealer(fixture: Fixture): Contender {
  const name = 'paseto-ts'
  const key = pasetoTsKey(fixture)
  const footer = `{"kid":"${fixture.issued[0]?.keyId}"}`
  const options = { footer, assertion: fixture.assertion, addIat: false, addExp: false }
  const seal = (one: IssuedToken) => {
    const iat = new Date(one.issuedAt).toISOString()
    const exp = new Date(one.expiresAt).toISOString()
    return encrypt(key, { ...jwtClaims(one), iat, exp }, options)
  }
  const one = fixture.issued[0] as IssuedToken
  const token = seal(one)
  demand(name, pasetoTs(fixture)(token)['sub'] === one.subject)
  // Sealed as ours are, under the same key: so ours has to take it, too.
  demand(name, accepts(fixture.uncached.verify(token), one))
  const next = cycle(fixture.issued)
  return { name, kind: 'peer', call: () => (seal(next()).length > 400 ? 1 : 0) }
}

function cycle<T>(values: readonly T[]): () => T {
  let i = 0
  return () => values[i++ % values.length] as T
}
