import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { checkEviction } from '../../../../src/clients/redis/eviction.js'

const atStake = (data: string) => ({
  data,
  name: 'the log',
  volatile: 'volatile policies spare it',
})

/** The warnings of a call. */
async function warningsOf(call: () => void): Promise<(Error & { code?: unknown })[]> {
  const warnings: (Error & { code?: unknown })[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  call()
  // Warnings are emitted in their order, so those of the call come before this one.
  process.emitWarning('the end of this call')
  while (warnings.at(-1)?.message !== 'the end of this call') await once(process, 'warning')
  process.off('warning', onWarning)
  return warnings.slice(0, -1)
}

describe('the check of the maxmemory-policy', () => {
  it('accepts a server that evicts nothing, without a warning', async () => {
    expect(await warningsOf(() => checkEviction('noeviction', atStake('tokens')))).toEqual([])
  })

  it.each(['allkeys-lru', 'volatile-ttl'])('rejects %s by name, with the fix', (policy) => {
    expect(() => checkEviction(policy, atStake('tokens'))).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(
          new RegExp(`maxmemory-policy is ${policy}, .* drop tokens .* noeviction.*allowEviction`),
        ),
      }),
    )
  })

  it('warns once for each kind of data if the server reports no policy', async () => {
    const warnings = await warningsOf(() => {
      for (const data of ['tokens', 'tokens', 'revocations']) checkEviction('', atStake(data))
    })
    expect(warnings.map(({ code }) => code)).toEqual(Array(2).fill('WATCHWORD_REDIS_CONFIG'))
    expect(warnings.map(({ message }) => message.split(' ').at(-1))).toEqual([
      'tokens',
      'revocations',
    ])
  })
})
