/**
 * Hot verify: tokens that were seen before, each a fresh string.
 *
 * @module
 */
import { accepts, demand, refuses, throws } from '../expect.js'
import { createFixture, type Fixture, SCOPE } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { deniedIds, fastJwt, type JwtKeys, jwtKeys, permits, signAll } from '../peers.js'
import { cutter, cutting, tampered } from '../pool.js'
import type { Case } from '../results.js'

export const hot: Case = {
  name: 'hot',
  async run(settings) {
    const fixture = await createFixture()
    const keys = await jwtKeys()
    const contenders = [
      ...ours(fixture),
      peer('fast-jwt, cached', false, fixture, keys),
      peer('fast-jwt, cached by token', true, fixture, keys),
      cutting(fixture.tokens),
    ]
    const outcome = await compete(contenders, settings)
    // Two tokens may want the same slot of the cache; then it keeps one.
    demand('cache', fixture.cached.health().cache.tokens >= fixture.tokens.length - 2)
    await fixture.close()
    return {
      name: 'hot',
      title: 'Hot verify',
      about: [
        `${fixture.tokens.length} tokens in turn, ${fixture.claimBytes} bytes of claims each;`,
        'the scope, 1,000 revocations and freshness are checked, and the string is cut, by all.',
      ],
      figures: [],
      ...outcome,
    }
  },
}

function ours({ cached, issued, tokens, revoked }: Fixture): Contender[] {
  const needs = cached.require({ scopes: [SCOPE] })
  issued.forEach((one, i) => {
    demand('watchword', accepts(cached.verify(tokens[i], needs), one))
  })
  demand(
    'watchword',
    refuses(cached.verify(revoked[0]?.token, needs), 'revoked'),
    refuses(cached.verify(tokens[0], { scopes: ['orders:write'] }), 'insufficient_scope'),
  )
  const compiledNext = cutter(tokens)
  const inlineNext = cutter(tokens)
  return [
    {
      name: 'watchword, compiled',
      kind: 'ours',
      call: () => (cached.verify(compiledNext(), needs).ok ? 1 : 0),
    },
    {
      name: 'watchword, inline',
      kind: 'ours',
      call: () => (cached.verify(inlineNext(), { scopes: [SCOPE] }).ok ? 1 : 0),
    },
  ]
}

function peer(name: string, keyedByToken: boolean, fixture: Fixture, keys: JwtKeys): Contender {
  const tokens = signAll(fixture.issued, keys)
  const denied = deniedIds(fixture.revoked)
  const verify = fastJwt(keys, { max: 20_000, keyedByToken })
  const revokedToken = signAll(fixture.revoked.slice(0, 1), keys)[0] as string
  fixture.issued.forEach((one, i) => {
    const payload = verify(tokens[i] as string)
    demand(name, payload.sub === one.subject, permits(payload, denied))
  })
  demand(
    name,
    !permits(verify(revokedToken), denied),
    throws(() => verify(tampered(tokens[0] as string))),
  )
  const next = cutter(tokens)
  return { name, kind: 'peer', call: () => (permits(verify(next()), denied) ? 1 : 0) }
}
