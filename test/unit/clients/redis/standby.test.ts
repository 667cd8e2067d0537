/** The second connection to Redis, on a clock that the test winds: the caller's connection replies when it is told to. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Standby } from '../../../../src/clients/redis/standby.js'

type Result = Promise<unknown>

/** A connection that the standby makes. `reply` is what it responds to each command. */
interface Own {
  readonly sent: string[]
  readonly reply: () => Result
  status: string
  ended: number
  callBuffer(): Result
  connect(): Promise<void>
  on(): void
  disconnect(): void
}

function ownConnection(reply: () => Result = async () => 'own'): Own {
  return {
    sent: [],
    reply,
    status: 'ready',
    ended: 0,
    callBuffer: reply,
    connect: async () => {},
    on: () => {},
    disconnect() {
      this.ended++
    },
  }
}

/** A caller's connection whose commands stay without a reply until the test sends one. */
function silentCaller() {
  const waiting: { readonly key: string; readonly reply: (value: unknown) => void }[] = []
  const command = (key: string) =>
    new Promise<unknown>((resolve) => waiting.push({ key, reply: resolve }))
  return { waiting, command }
}

function standbyOf(create: (() => Own | Promise<Own>) | undefined) {
  const caller = silentCaller()
  let silences = 0
  const standby = new Standby<Own, string>({
    command: caller.command,
    create,
    commandOf: (own) => (key) => {
      own.sent.push(key)
      return own.reply()
    },
    onSilence: () => void silences++,
  })
  const send = (key: string) => standby.command(key, ['GET', key])
  return { caller, standby, send, silences: () => silences }
}

/** A standby whose caller's connection has been silent for long enough. */
async function silentStandby(create: () => Own | Promise<Own>) {
  const parts = standbyOf(create)
  parts.send('first').catch(() => undefined)
  await vi.advanceTimersByTimeAsync(1000)
  return parts
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a standby', () => {
  it('leaves every command to a client that cannot duplicate itself', async () => {
    const { caller, send, silences } = standbyOf(undefined)
    void send('a')
    await vi.advanceTimersByTimeAsync(5000)
    void send('b')
    expect(caller.waiting.map(({ key }) => key)).toEqual(['a', 'b'])
    expect(silences()).toBe(0)
  })

  it('uses its own connection after a second without a reply, until the caller’s replies', async () => {
    const own = ownConnection()
    const { caller, send, silences } = await silentStandby(() => own)
    expect(await send('second')).toBe('own')
    expect(await send('third')).toBe('own')
    expect([own.sent, silences(), own.ended]).toEqual([['second', 'third'], 1, 0])
    caller.waiting[0]?.reply('late')
    await vi.advanceTimersByTimeAsync(0)
    expect(own.ended).toBe(1)
    const fourth = send('fourth')
    caller.waiting.at(-1)?.reply('callers')
    expect(await fourth).toBe('callers')
  })

  it('trusts a client with several connections while one of them replies', async () => {
    const { caller, send, silences } = standbyOf(() => ownConnection())
    void send('lost')
    const other = send('other')
    await vi.advanceTimersByTimeAsync(900)
    caller.waiting[1]?.reply('fine')
    await other
    await vi.advanceTimersByTimeAsync(900)
    void send('next')
    expect(caller.waiting.map(({ key }) => key)).toEqual(['lost', 'other', 'next'])
    expect(silences()).toBe(0)
  })

  it('closes its own connection only after the last reply to a command in flight', async () => {
    let reply: (value: unknown) => void = () => {}
    const own = ownConnection(
      () =>
        new Promise((resolve) => {
          reply = resolve
        }),
    )
    const { caller, send } = await silentStandby(() => own)
    const second = send('second')
    await vi.advanceTimersByTimeAsync(0)
    caller.waiting[0]?.reply('late')
    await vi.advanceTimersByTimeAsync(0)
    expect(own.ended).toBe(0)
    reply('in flight')
    expect(await second).toBe('in flight')
    await vi.advanceTimersByTimeAsync(0)
    expect(own.ended).toBe(1)
  })

  it('probes the silent connection every two seconds, one probe at a time', async () => {
    const { caller, send } = await silentStandby(() => ownConnection())
    const sentAfter = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms)
      await send('again')
      return caller.waiting.length
    }
    expect(await sentAfter(0)).toBe(1)
    expect(await sentAfter(1900)).toBe(1)
    expect(await sentAfter(100)).toBe(2)
    // The probe has no reply yet.
    expect(await sentAfter(10_000)).toBe(2)
  })

  it('replaces its own connection when that has ended', async () => {
    const made: Own[] = []
    const { send } = await silentStandby(() => {
      made.push(ownConnection())
      return made.at(-1) as Own
    })
    await send('second')
    const [first] = made as [Own]
    first.status = 'end'
    expect(await send('third')).toBe('own')
    expect(made.map(({ sent }) => sent)).toEqual([['second'], ['third']])
  })

  it.each([
    ['ReplyError', Object.assign(new Error('WRONGTYPE'), { name: 'ReplyError' })],
    ['ErrorReply', new (class ErrorReply extends Error {})('WRONGTYPE')],
    ['SimpleError', new (class SimpleError extends Error {})('WRONGTYPE')],
  ])('keeps its own connection when the server replies with a %s', async (_, error) => {
    let made = 0
    const { send } = await silentStandby(() => {
      made++
      return ownConnection(() => Promise.reject(error))
    })
    await expect(send('second')).rejects.toBe(error)
    await expect(send('third')).rejects.toBe(error)
    expect(made).toBe(1)
  })

  it.each([
    ['an error of the socket', new Error('ECONNRESET')],
    ['nothing', null],
  ])('makes a new connection after its own failed with %s', async (_, failure) => {
    const made: Own[] = []
    const { send } = await silentStandby(() => {
      made.push(ownConnection(() => Promise.reject(failure)))
      return made.at(-1) as Own
    })
    await expect(send('second')).rejects.toBe(failure)
    await expect(send('third')).rejects.toBe(failure)
    expect(made.map(({ ended }) => ended)).toEqual([1, 1])
  })

  it('rejects when its own connection is silent, too, and makes a new one', async () => {
    const made: Own[] = []
    const { send } = await silentStandby(() => {
      made.push(ownConnection(() => new Promise(() => {})))
      return made.at(-1) as Own
    })
    const [second, third] = [send('second'), send('third')]
    const both = Promise.allSettled([second, third])
    await vi.advanceTimersByTimeAsync(2600)
    for (const result of await both) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { message: 'redis did not respond within 2500 ms' },
      })
    }
    expect(made[0]?.ended).toBeGreaterThan(0)
    send('fourth').catch(() => undefined)
    await vi.advanceTimersByTimeAsync(0)
    expect(made).toHaveLength(2)
  })

  it('rejects when no connection can be made, and closes one that cannot connect', async () => {
    const down = new Error('ECONNREFUSED')
    const { send } = await silentStandby(() => Promise.reject(down))
    await expect(send('second')).rejects.toBe(down)
    const { callBuffer: _, ...nodeRedis } = ownConnection()
    const failing = { ...nodeRedis, isOpen: false, connect: () => Promise.reject(down) }
    const { send: other } = await silentStandby(() => failing as unknown as Own)
    await expect(other('second')).rejects.toBe(down)
    expect(failing.ended).toBe(1)
  })

  it('rejects after it was closed, and has closed its own connection', async () => {
    const own = ownConnection()
    const { send, standby } = await silentStandby(() => own)
    await send('second')
    standby.close()
    await vi.advanceTimersByTimeAsync(0)
    expect(own.ended).toBe(1)
    await expect(send('third')).rejects.toThrow('the adapter was closed')
  })

  it('has nothing to close before it has made a connection', () => {
    const { standby } = standbyOf(() => ownConnection())
    expect(() => standby.close()).not.toThrow()
  })
})
