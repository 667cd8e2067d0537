/** The meaning of errors, and the properties of a connection that the types of the client omit. */
import { JetStreamApiError } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import {
  connectionStatus,
  isConflict,
  isStoreFailed,
  isStreamMissing,
  isTooLarge,
  isUnheard,
  type JetStreamClient,
  maxPayload,
} from '../../../../src/clients/nats/client.js'

const ofServer = (err_code: number) =>
  new JetStreamApiError({ code: 400, err_code, description: `error ${err_code}` })
const named = (name: string, message = '') => Object.assign(new Error(message), { name })

const CHECKS = { isConflict, isStoreFailed, isStreamMissing, isTooLarge, isUnheard }
const meaningOf = (error: unknown) =>
  Object.entries(CHECKS).flatMap(([name, check]) => (check(error) ? [name] : []))

const clientOf = (methods: object) => methods as JetStreamClient

describe('an error of JetStream', () => {
  it.each([
    [ofServer(10059), ['isStreamMissing']],
    [ofServer(10077), ['isStoreFailed']],
    [ofServer(10070), ['isConflict']],
    [ofServer(10071), ['isConflict']],
    [ofServer(10164), ['isConflict']],
    [named('JetStreamNotEnabled'), ['isUnheard']],
    [named('InvalidArgumentError', "'payload' max_payload size exceeded"), ['isTooLarge']],
  ])('%s has one meaning', (error, meaning) => {
    expect(meaningOf(error)).toEqual(meaning)
  })

  it.each([
    ofServer(10023),
    named('TimeoutError', 'timeout'),
    Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    { name: 'JetStreamNotEnabled', message: 'max_payload' },
    'max_payload',
    null,
    undefined,
  ])('has no meaning if it is %j', (error) => {
    expect(meaningOf(error)).toEqual([])
  })
})

describe('a client without a connection that can be asked', () => {
  it('has no status, and the default maximum length of a message', () => {
    for (const methods of [{}, { getConnection: () => ({}) }]) {
      expect(connectionStatus(clientOf(methods))).toBeUndefined()
      expect(maxPayload(clientOf(methods))).toBe(1024 * 1024)
    }
  })
})

describe('a client with a connection', () => {
  it('has its status and its maximum length of a message', () => {
    async function* events() {
      yield { type: 'disconnect' }
    }
    const status = events()
    const connection = { status: () => status, info: { max_payload: 4096 } }
    const js = {
      connection,
      getConnection() {
        return this.connection
      },
    }
    expect(connectionStatus(clientOf(js))).toBe(status)
    expect(maxPayload(clientOf(js))).toBe(4096)
  })
})
