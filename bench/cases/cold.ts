/**
 * Cold verify: every token is opened or checked anew, without a cache.
 *
 * @module
 */
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { accepts, demand, refuses } from '../expect.js'
import { AUDIENCE, createFixture, type Fixture, ISSUER, SCOPE } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { pasetoLibsodium, pasetoTs } from '../paseto-peers.js'
import { deniedIds, fastJwt, type JwtKeys, jwtKeys, permits, signAll } from '../peers.js'
import { cutter, cutting, tampered } from '../pool.js'
import type { Case } from '../results.js'

type Claims = Readonly<Record<string, unknown>>

interface Peer {
  readonly name: string
  readonly tokens: readonly string[]
  /** Returns the claims, or throws. */
  readonly verify: (token: string) => Claims | Promise<Claims>
}

export const cold: Case = {
  name: 'cold',
  async run(settings) {
    const fixture = await createFixture()
    const denied = deniedIds(fixture.revoked)
    const contenders = [ours(fixture), cutting(fixture.tokens)]
    for (const peer of [...jwtPeers(fixture, await jwtKeys()), ...pasetoPeers(fixture)]) {
      contenders.push(await enter(peer, fixture, denied))
    }
    const outcome = await compete(contenders, settings)
    await fixture.close()
    return {
      name: 'cold',
      title: 'Cold verify',
      about: [
        `${fixture.tokens.length} tokens in turn, ${fixture.claimBytes} bytes of claims each; no cache;`,
        'the scope and 1,000 revocations are checked, and the string is cut, by all.',
      ],
      figures: [],
      ...outcome,
    }
  },
}

function ours({ uncached, issued, tokens, revoked }: Fixture): Contender {
  const name = 'watchword'
  const needs = uncached.require({ scopes: [SCOPE] })
  issued.forEach((one, i) => {
    demand(name, accepts(uncached.verify(tokens[i], needs), one))
  })
  demand(
    name,
    refuses(uncached.verify(tampered(tokens[0] as string), needs), 'invalid'),
    refuses(uncached.verify(revoked[0]?.token, needs), 'revoked'),
    refuses(uncached.verify(tokens[0], { scopes: ['orders:write'] }), 'insufficient_scope'),
  )
  const next = cutter(tokens)
  return { name, kind: 'ours', call: () => (uncached.verify(next(), needs).ok ? 1 : 0) }
}

function jwtPeers({ issued }: Fixture, keys: JwtKeys): Peer[] {
  const tokens = signAll(issued, keys)
  const joseOptions = { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE }
  const options = { algorithms: ['HS256' as const], issuer: ISSUER, audience: AUDIENCE }
  return [
    { name: 'fast-jwt HS256', tokens, verify: toClaims(fastJwt(keys, false)) },
    {
      name: 'jose HS256',
      tokens,
      verify: async (token) => (await jwtVerify(token, keys.cryptoKey, joseOptions)).payload,
    },
    {
      name: 'jsonwebtoken HS256',
      tokens,
      verify: (token) => jsonwebtoken.verify(token, keys.keyObject, options) as Claims,
    },
  ]
}

function toClaims(verify: (token: string) => object): (token: string) => Claims {
  return verify as (token: string) => Claims
}

function pasetoPeers(fixture: Fixture): Peer[] {
  const { tokens } = fixture
  return [
    { name: 'paseto-ts', tokens, verify: pasetoTs(fixture) },
    { name: 'paseto + libsodium', tokens, verify: pasetoLibsodium(fixture) },
  ]
}

async function enter(
  { name, tokens, verify }: Peer,
  { issued }: Fixture,
  denied: ReadonlySet<string>,
): Promise<Contender> {
  let refused = false
  await Promise.resolve(tokens[0] as string)
    .then((token) => verify(tampered(token)))
    .catch(() => {
      refused = true
    })
  demand(name, refused)
  for (const at of [0, 1, tokens.length - 1]) {
    const claims = await verify(tokens[at] as string)
    const onList = { ...claims, jti: [...denied][0] }
    demand(
      name,
      claims['sub'] === issued[at]?.subject,
      permits(claims, denied),
      !permits(onList, denied),
    )
  }
  const next = cutter(tokens)
  const probe = verify(tokens[0] as string)
  if (!(probe instanceof Promise)) {
    return { name, kind: 'peer', call: () => (permits(verify(next()) as Claims, denied) ? 1 : 0) }
  }
  await probe
  const callAsync = async () => (permits(await verify(next()), denied) ? 1 : 0)
  return { name, kind: 'peer', callAsync }
}
