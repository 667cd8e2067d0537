/** Commands in flight when a Redis adapter switches between the caller's connection and its own. */
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { type Command, commandOf } from '../../src/clients/redis/client.js'
import { duplicate } from '../../src/clients/redis/own-client.js'
import { Standby } from '../../src/clients/redis/standby.js'
import { serverUrl, uniqueName } from '../contract/servers.js'

const url = await serverUrl('redis')
const SILENT_FOR_MS = 1100

describe.skipIf(url === undefined)('a standby of a connection that went silent', () => {
  const clients: Redis[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect()
  })

  function connect(): Redis {
    const client = new Redis(url ?? '')
    clients.push(client)
    return client
  }

  /** The replies on the caller's connection arrive only after `release`. */
  function setUp() {
    const callers = connect()
    const own: Redis[] = []
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const command: Command = async (key, args) => {
      const reply = await commandOf(callers)(key, args)
      await released
      return reply
    }
    const create = () => {
      const made = duplicate(callers)
      own.push(made)
      clients.push(made)
      return made
    }
    const standby = new Standby<Redis, string>({
      command,
      create,
      commandOf,
      onSilence: () => undefined,
    })
    return { standby, own, release }
  }

  /** Sends one command that the caller's connection does not reply to, and one that blocks on the standby's own. */
  async function twoUnderWay() {
    const { standby, own, release } = setUp()
    const key = uniqueName()
    const held = standby.command(key, ['PING'])
    await new Promise((resolve) => setTimeout(resolve, SILENT_FOR_MS))
    const blocked = standby.command(key, ['BLPOP', key, '2'])
    await expect.poll(() => own[0]?.status).toBe('ready')
    return { standby, own, release, key, held, blocked }
  }

  it('resolves the commands that it sent, although the other connection is back meanwhile', async () => {
    const { own, release, key, held, blocked } = await twoUnderWay()
    release()
    expect(await held).toBe('PONG')
    await connect().lpush(key, 'value')
    expect(await blocked).toEqual([key, 'value'])
    await expect.poll(() => own[0]?.status).toBe('end')
  })

  it('uses the other connection again as soon as that one has replied', async () => {
    const { standby, own, release, key, held, blocked } = await twoUnderWay()
    release()
    await held
    expect(await standby.command(key, ['PING'])).toBe('PONG')
    expect(own).toHaveLength(1)
    await connect().lpush(key, 'value')
    expect(await blocked).toEqual([key, 'value'])
  })

  it('closes its own connection at once when it is closed itself', async () => {
    const { standby, own, release, held, blocked } = await twoUnderWay()
    standby.close()
    await expect(blocked).rejects.toThrow('Connection is closed')
    expect(own[0]?.status).toBe('end')
    release()
    await held
  })
})
