import { describe, expect, it } from 'vitest'
import { redisIdentity, redisNow } from '../../../../src/clients/redis/server.js'

/** A server whose script returns these values. */
const returning =
  (...rest: unknown[]) =>
  async () => ({ tag: 'server', rest })

describe('redisIdentity', () => {
  it('is the id of the run of the server', async () => {
    expect(await redisIdentity(returning('5f2c', '1', '2'))).toBe('redis:5f2c')
    expect(await redisIdentity(returning(Buffer.from('5f2c'), '1', '2'))).toBe('redis:5f2c')
  })

  it('is unknown when the user may not run INFO', async () => {
    expect(await redisIdentity(returning('', '1', '2'))).toBeUndefined()
  })
})

describe('redisNow', () => {
  it('is the time of the server in whole milliseconds', async () => {
    expect(await redisNow(returning('', '1767225600', '250999'))).toBe(1_767_225_600_250)
  })
})
