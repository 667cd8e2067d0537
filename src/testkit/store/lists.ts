/**
 * Filters.
 *
 * @module
 */
import { present, type StoreCase, same } from './case.js'
import { expectFiltered } from './filtered.js'
import { HOUR, NOW } from './fixtures.js'

export const listCases: readonly StoreCase[] = [
  {
    rule: 'lists.filter',
    title: 'matches each field exactly, and all fields together',
    async run({ store, make }) {
      const family = make.id()
      const [one, two] = [make.keyId(), make.keyId()]
      const records = [
        make.token({ subject: 'a', policy: 'p', audience: 'x', keyId: one, family }),
        make.token({ subject: 'a', policy: 'q', audience: 'y', keyId: two, family }),
        make.token({ subject: 'b', policy: 'p', audience: 'y', keyId: one }),
        make.token({ subject: 'ab', policy: 'pq', audience: 'xy', keyId: two }),
      ]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        [{}, [0, 1, 2, 3]],
        [{ subject: 'a' }, [0, 1]],
        [{ family }, [0, 1]],
        [{ policy: 'p' }, [0, 2]],
        [{ audience: 'y' }, [1, 2]],
        [{ keyId: two }, [1, 3]],
        [{ subject: 'a', policy: 'p' }, [0]],
        [{ policy: 'p', audience: 'y' }, [2]],
        [{ keyId: one, family }, [0]],
        [{ subject: 'a', family, policy: 'q', audience: 'y', keyId: two, liveAt: NOW }, [1]],
        [{ subject: 'a', family, policy: 'q', audience: 'y', keyId: one, liveAt: NOW }, []],
        [{ subject: 'c' }, []],
        [{ subject: '' }, []],
        [{ family: make.id() }, []],
        [{ policy: 'a' }, []],
        [{ audience: 'a' }, []],
        [{ keyId: make.keyId() }, []],
      ])
    },
  },
  {
    rule: 'lists.live-at',
    title: 'lists no token as live from its expiry or supersession on, to the millisecond',
    async run({ store, make }) {
      const records = [
        make.token({ expiresAt: NOW + 9 }),
        make.token({ expiresAt: NOW + 10 }),
        make.token({ expiresAt: NOW + 11 }),
        make.token({ supersededAt: NOW + 9 }),
        make.token({ supersededAt: NOW + 10 }),
        make.token({ supersededAt: NOW + 11 }),
        make.token({ successor: make.id() }),
        make.token({ revokedAt: NOW + HOUR, revokedBy: 'someone', revokedReason: null }),
        make.token({ notBefore: NOW + HOUR / 2 }),
        make.token({ supersededAt: NOW + 5, expiresAt: NOW + 11 }),
      ]
      await store.insertTokens(records)
      await expectFiltered(store, records, [
        [{ liveAt: NOW + 4 }, [0, 1, 2, 3, 4, 5, 6, 8, 9]],
        [{ liveAt: NOW + 8 }, [0, 1, 2, 3, 4, 5, 6, 8]],
        [{ liveAt: NOW + 10 }, [2, 5, 6, 8]],
        [{ liveAt: NOW + 11 }, [6, 8]],
        [{ liveAt: NOW + HOUR - 1 }, [6, 8]],
        [{ liveAt: NOW + HOUR }, []],
        [{ liveAt: 0 }, [0, 1, 2, 3, 4, 5, 6, 8, 9]],
        [{ liveAt: NOW + 10, subject: 'user:1', policy: 'job' }, [2, 5, 6, 8]],
        [{ liveAt: NOW + 10, subject: 'user:2' }, []],
      ])
    },
  },
  {
    rule: 'lists.live-at',
    title: 'applies the live filter to later changes as well',
    async run({ store, make }) {
      const [rotated, revoked, superseded] = [make.token(), make.token(), make.token()]
      await store.insertTokens([rotated, revoked, superseded])
      const successor = make.successor(rotated)
      await store.succeed(rotated.id, successor, NOW + 10)
      await store.revoke(make.revocation('token', revoked.id))
      await store.supersede(superseded.id, NOW + 5)
      const ids = async (liveAt: number) =>
        (await store.listTokens({ liveAt }, { limit: 9 })).map(({ id }) => id)
      same(await ids(NOW + 4), [rotated.id, superseded.id, successor.id], 'live before both')
      same(await ids(NOW + 9), [rotated.id, successor.id], 'live within the grace')
      same(await ids(NOW + 10), [successor.id], 'live when the grace is over')
    },
  },
  {
    rule: 'lists.superseded',
    title: 'lists superseded tokens that expire after a time, to the millisecond',
    async run({ store, make }) {
      const dead = { revokedAt: NOW, revokedBy: 'someone', revokedReason: null }
      const records = [
        make.token(),
        make.token({ supersededAt: NOW + HOUR / 2, expiresAt: NOW + 9 }),
        make.token({ supersededAt: 0, expiresAt: NOW + 10 }),
        make.token({ supersededAt: 0, expiresAt: NOW + 11 }),
        make.token({ supersededAt: NOW + 2 * HOUR, expiresAt: NOW + HOUR, ...dead }),
        make.token({ successor: make.id() }),
      ]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        [{ supersededAliveAt: 0 }, [1, 2, 3, 4]],
        [{ supersededAliveAt: NOW + 9 }, [2, 3, 4]],
        [{ supersededAliveAt: NOW + 10 }, [3, 4]],
        [{ supersededAliveAt: NOW + 10, liveAt: NOW - 1, subject: 'user:1' }, []],
        [{ supersededAliveAt: NOW + 8, liveAt: NOW + 8 }, [1]],
        [{ supersededAliveAt: NOW + HOUR }, []],
      ])
      const page = await store.listTokens(
        { supersededAliveAt: 0 },
        { limit: 2, after: present(records[1], 'the second record').id },
      )
      same(page, records.slice(2, 4), 'one page')
    },
  },
]
