/**
 * A thousand tokens in one step, beside as many one by one.
 *
 * @module
 */
import type { Watchword } from '../../src/index.js'
import { accepts, demand } from '../expect.js'
import { nextInput } from './authority.js'
import type { Contender } from './race.js'

const COUNT = 1000

/** The names of the two. */
export const BULK = { many: `issueMany of ${COUNT}`, single: 'issue, for comparison' } as const

/** The contenders. Rejects if a token is not what it should be. */
export async function bulk(authority: Watchword): Promise<Contender[]> {
  const issued = await issueMany(authority)
  demand(BULK.many, issued.length === COUNT)
  for (const token of issued) demand(BULK.many, accepts(authority.verify(token.token), token))
  const last = issued.at(-1)?.id ?? ''
  demand(BULK.many, (await authority.tokens.get(last))?.id === last)
  return [
    {
      name: BULK.many,
      calls: 1,
      perCall: COUNT,
      call: async () => (await issueMany(authority)).length === COUNT,
    },
    {
      name: BULK.single,
      call: async () => (await authority.issue(nextInput())).token.length > 400,
    },
  ]
}

function issueMany(authority: Watchword) {
  return authority.issueMany(Array.from({ length: COUNT }, () => nextInput()))
}
