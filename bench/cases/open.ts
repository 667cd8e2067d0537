/**
 * `open` alone: from the text of a token to its authentic bytes, without policy, scopes or revocation.
 *
 * @module
 */
import { open } from '../../src/paseto.js'
import { demand, throws } from '../expect.js'
import { createFixture, type Fixture } from '../fixture.js'
import { type Contender, compete } from '../harness.js'
import { pasetoLibsodium, pasetoTs } from '../paseto-peers.js'
import { cutter, cutting, tampered } from '../pool.js'
import type { Case } from '../results.js'

export const openAlone: Case = {
  name: 'open',
  async run(settings) {
    const fixture = await createFixture()
    const contenders = [
      opening(fixture),
      openingAndParsing(fixture),
      await throughPaseto(fixture),
      throughPasetoTs(fixture),
      cutting(fixture.tokens),
    ]
    const outcome = await compete(contenders, settings)
    await fixture.close()
    return {
      name: 'open',
      title: '`open` alone',
      about: [
        'The same tokens under the same key for all. Both packages parse the claims and check the',
        'times as well; `open + JSON.parse` is ours with the claims parsed.',
      ],
      figures: [],
      ...outcome,
    }
  },
}

function opening({ key, assertion, tokens, issued }: Fixture): Contender {
  const options = { implicitAssertion: assertion }
  const text = Buffer.from(open(key, tokens[0] as string, options)?.payload ?? []).toString()
  demand(
    'open',
    JSON.parse(text).sub === issued[0]?.subject,
    open(key, tampered(tokens[0] as string), options) === undefined,
  )
  const next = cutter(tokens)
  return {
    name: 'open',
    kind: 'ours',
    call: () => (open(key, next(), options) === undefined ? 0 : 1),
  }
}

function openingAndParsing({ key, assertion, tokens }: Fixture): Contender {
  const options = { implicitAssertion: assertion }
  const next = cutter(tokens)
  const call = () => {
    const opened = open(key, next(), options)
    if (opened === undefined) return 0
    const { buffer, byteOffset, length } = opened.payload
    const claims = JSON.parse(Buffer.from(buffer, byteOffset, length).toString())
    return claims.gen === 0 ? 1 : 0
  }
  return { name: 'open + JSON.parse', kind: 'ours', call }
}

async function throughPaseto(fixture: Fixture): Promise<Contender> {
  const name = 'paseto + libsodium'
  const { tokens, issued } = fixture
  const verify = pasetoLibsodium(fixture)
  const refused = await verify(tampered(tokens[0] as string)).then(
    () => false,
    () => true,
  )
  demand(name, refused, (await verify(tokens[0] as string))['sub'] === issued[0]?.subject)
  const next = cutter(tokens)
  const callAsync = async () => ((await verify(next()))['gen'] === 0 ? 1 : 0)
  return { name, kind: 'peer', callAsync }
}

function throughPasetoTs(fixture: Fixture): Contender {
  const name = 'paseto-ts'
  const { tokens, issued } = fixture
  const verify = pasetoTs(fixture)
  demand(
    name,
    throws(() => verify(tampered(tokens[0] as string))),
    verify(tokens[0] as string)['sub'] === issued[0]?.subject,
  )
  const next = cutter(tokens)
  return { name, kind: 'peer', call: () => (verify(next())['gen'] === 0 ? 1 : 0) }
}
