import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { failure } from '../../../src/lib/failure-text.js'

const failed = (cause: unknown) =>
  failure('ERR_STORE_UNAVAILABLE', 'store "postgres"', cause).message
const coded = (fields: object, message = '') => Object.assign(new Error(message), fields)

describe('the message of a failed adapter', () => {
  it('names the reason, the code and the address of a refused connection', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const [refused] = (await once(connect(port, '127.0.0.1'), 'error')) as [Error]
    const text = `store "postgres" failed: unreachable (ECONNREFUSED 127.0.0.1:${port}); check that the server runs and that its address is right`
    expect(failed(refused)).toBe(text)
    expect(failed(new Error('outer', { cause: refused }))).toBe(text)
    // Node tries every address of a host name, and reports all failures in one error.
    const both = coded({ code: 'ECONNREFUSED', errors: [refused, refused] })
    expect(failed(both)).toBe(text)
  })

  it.each([
    [
      'an unknown host',
      { code: 'ENOTFOUND', hostname: 'db.example' },
      'unreachable (ENOTFOUND db.example); check that the server runs and that its address is right',
    ],
    [
      'a silent server',
      { code: 'ETIMEDOUT' },
      'timeout (ETIMEDOUT); check the load of the server and the network to it',
    ],
    [
      'a wrong password',
      { code: '28P01' },
      'denied (28P01); check the credentials and the rights of the account',
    ],
    [
      'a replica',
      { code: '25006' },
      'read_only (25006); connect to the primary, which accepts writes',
    ],
    [
      'a full disk',
      { code: 'ENOSPC' },
      'full (ENOSPC); make space on the server, or raise its limits',
    ],
    [
      'a message that is too long',
      { code: 10054 },
      'too_large (10054); raise the limit of the server or of the client',
    ],
    [
      'a missing table',
      { code: '42P01' },
      'missing (42P01); create the database or the stream, and call migrate() of an SQL adapter',
    ],
    [
      'a damaged file',
      { code: 'SQLITE_CORRUPT' },
      'corrupt (SQLITE_CORRUPT); restore the data, which only this library may write',
    ],
    [
      'a client without codes',
      { name: 'MaxRetriesPerRequestError' },
      'unreachable (MaxRetriesPerRequestError); check that the server runs and that its address is right',
    ],
    [
      'a client of redis that was not connected',
      { name: 'ClientClosedError' },
      'unreachable (ClientClosedError); the client is not connected; call await client.connect() before it is used',
    ],
    ['a code that the library does not know', { code: '0A000' }, 'unknown (0A000); see `cause`'],
    ['a mistake in an adapter', { name: 'TypeError' }, 'unknown (TypeError); see `cause`'],
  ])('gives the reason and what to do for %s', (_, fields, text) => {
    expect(failed(coded(fields))).toBe(`store "postgres" failed: ${text}`)
  })

  it('gives the numbers of MariaDB, which mysql2 names with the table of MySQL', () => {
    const check = {
      code: 'ER_INNODB_AUTOEXTEND_SIZE_OUT_OF_RANGE',
      errno: 4025,
      sqlState: '23000',
    }
    expect(failed(coded(check))).toBe(
      'store "postgres" failed: unknown (errno 4025, SQLSTATE 23000); see `cause`',
    )
    const denied = { code: 'ER_WRONG_NAME', errno: 4151, sqlState: '42000' }
    expect(failed(coded(denied))).toContain('failed: denied (errno 4151, SQLSTATE 42000);')
    const shared = { code: 'ER_TABLEACCESS_DENIED_ERROR', errno: 1142, sqlState: '42000' }
    expect(failed(coded(shared))).toContain('failed: denied (ER_TABLEACCESS_DENIED_ERROR);')
    const strange = { code: 'ER_ODD', errno: 4025, sqlState: 'pw=hunter2' }
    expect(failed(coded(strange))).toContain('failed: unknown (ER_ODD);')
  })

  it('names the reply of Redis by its first word', () => {
    const text = failed(new Error("READONLY You can't write against a read only replica."))
    expect(text).toContain('failed: read_only (READONLY);')
  })

  it.each([
    ['an error without a code', new Error('boom')],
    ['a text', 'boom'],
    ['nothing', undefined],
  ])('refers to the cause for %s', (_, cause) => {
    expect(failed(cause)).toBe('store "postgres" failed: unknown; see `cause`')
  })

  it('contains nothing of the text of the cause, nor a code or name that may be a secret', () => {
    const secret = 'v4.local.hunter2hunter2hunter2hunter2'
    const text = `password=${secret}`
    for (const fields of [
      { code: secret },
      { name: secret },
      { code: 'ECONNREFUSED', address: `postgres://app:${secret}@db` },
      { code: 'ENOTFOUND', hostname: `app:${secret}@db.example` },
      { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000', sqlMessage: text },
    ])
      expect(failed(coded(fields, text))).not.toMatch(/hunter2|password/)
    expect(failed(coded({ code: 'ER_DUP_ENTRY' }, text))).toBe(
      'store "postgres" failed: unknown (ER_DUP_ENTRY); see `cause`',
    )
  })
})
