import { describe, expectTypeOf, it } from 'vitest'
import { createWatchword, type Watchword, type WatchwordOptions } from 'watchword'

const start = () =>
  createWatchword({
    issuer: 'acme',
    audience: ['orders', 'stock'],
    policies: {
      service: { ttl: '30d', scopes: ['orders:*', 'stock:read'] },
      session: { ttl: '1h', scopes: [] },
    },
  })
type Started = Awaited<ReturnType<typeof start>>
const base = { subject: 'svc', actor: 'ops', audience: 'orders' } as const

describe('the names in the options', () => {
  it('are the ones that issue takes as literals', () => {
    const _issue = async (w: Started) => {
      await w.issue({ ...base, policy: 'service', scopes: ['orders:read', 'stock:read'] })
      await w.issue({ ...base, policy: 'session' })
      // @ts-expect-error A misspelt policy.
      await w.issue({ ...base, policy: 'servce' })
      // @ts-expect-error A misspelt audience.
      await w.issue({ ...base, policy: 'service', audience: 'stocks' })
      // @ts-expect-error A scope that no policy grants.
      await w.issue({ ...base, policy: 'service', scopes: ['ordres:read'] })
    }
    expectTypeOf(_issue).toBeFunction()
  })

  it('do not narrow what a variable of type string may hold', () => {
    const _issue = async (w: Started, policy: string, audience: string, scopes: string[]) =>
      w.issue({ ...base, policy, audience, scopes })
    expectTypeOf(_issue).toBeFunction()
  })

  it('are unknown where the options are not literals, and then any name is taken', () => {
    const _start = async (options: WatchwordOptions) => {
      const w = await createWatchword(options)
      await w.issue({ ...base, policy: 'anything', audience: 'any', scopes: ['any:thing'] })
    }
    expectTypeOf(_start).toBeFunction()
  })

  it('keep an authority assignable to one whose names are not known', () => {
    const _widen = (w: Started): Watchword => w
    expectTypeOf(_widen).toBeFunction()
  })
})
