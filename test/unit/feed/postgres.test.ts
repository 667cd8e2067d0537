/** The options of the PostgreSQL feed. The pools are real ones of `pg`, and connect only when they are used. */
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import {
  type PostgresFeedOptions,
  type PostgresFeedPool,
  postgresFeed,
} from '../../../src/feed/postgres.js'

const pool = new pg.Pool()
const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  })

describe('the options of postgresFeed', () => {
  it.each([
    [{ prepare: 'yes' }, /^prepare: expected true or false/],
    [{ prefix: 'a-b' }, /^prefix: /],
    [{ schema: 'a b' }, /^schema: /],
    [{ name: '' }, /^name: /],
    [{ listen: true }, /^listen: expected a function, or false/],
    [{ listen: 'wakeups' }, /^listen: expected a function, or false/],
  ])('reject %j', (options, message) => {
    expect(() => postgresFeed(pool, options as PostgresFeedOptions)).toThrow(refusal(message))
  })

  it.each([undefined, null, 'postgres://localhost', {}, { query: () => null }])(
    'reject %j as a pool',
    (value) => {
      expect(() => postgresFeed(value as unknown as PostgresFeedPool)).toThrow(refusal(/^pool: /))
    },
  )

  it('require a function that listens if the pool does not tell how to make a client', () => {
    const wrapped: PostgresFeedPool = { connect: () => pool.connect() as never }
    for (const partial of [wrapped, { ...wrapped, options: {} }])
      expect(() => postgresFeed(partial)).toThrow(refusal(/^listen: /))
    expect(postgresFeed(wrapped, { listen: () => new pg.Client() }).info.push).toBe(true)
    expect(postgresFeed(wrapped, { listen: false }).info.push).toBe(false)
  })

  it('listen with a client of the pool by default', () => {
    const { info, watch } = postgresFeed(pool)
    expect(info).toMatchObject({ name: 'postgres', push: true })
    expect(watch).toBeTypeOf('function')
  })
})
