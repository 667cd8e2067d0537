import { afterEach, describe, expect, it } from 'vitest'
import { type Watchword, WatchwordError } from 'watchword'
import type { Store } from 'watchword/store'
import { auditOf } from '../../support/fleet.js'
import { closeAll, codeOf, failureOf, rig, sharedStore } from '../../support/harness.js'

afterEach(closeAll)

const issue = (watchword: Watchword, subject = 'svc_billing') =>
  watchword.issue({ policy: 'service', subject, actor: 'ops', scopes: ['orders:read'] })

/** A store whose rows of tokens are returned as `edit` changes them. */
function editedStore(edit: (row: object) => object): Store {
  const store = sharedStore()
  return {
    ...store,
    getToken: async (id) => {
      const row = await store.getToken(id)
      return row && (edit(row) as typeof row)
    },
    listTokens: async (...args) =>
      (await store.listTokens(...args)).map((row) => edit(row) as typeof row),
  }
}

describe('tokens.get', () => {
  it('returns the record of a token, and undefined for an unknown or invalid id', async () => {
    const { watchword } = await rig()
    const token = await issue(watchword)
    expect(await watchword.tokens.get(token.id)).toMatchObject({ subject: 'svc_billing' })
    expect(await watchword.tokens.get('01KDVDM4000000000000000000')).toBeUndefined()
    expect(await watchword.tokens.get('not a ULID')).toBeUndefined()
  })

  it('returns no code that seals the record, and neither do a list and an update', async () => {
    const { watchword } = await rig()
    const { id } = await issue(watchword)
    const shown = [
      await watchword.tokens.get(id),
      ...(await watchword.tokens.list({})).items,
      await watchword.tokens.update(id, { owner: 'team-a' }, { actor: 'ops' }),
    ]
    expect(shown).toHaveLength(3)
    for (const info of shown) expect(JSON.stringify(info)).not.toMatch(/[tT]ag"|v4\.local/)
  })

  it('rejects for an edited record and reports it', async () => {
    const store = editedStore((row) => ({ ...row, subject: 'mallory' }))
    const { watchword } = await rig({}, { store })
    const token = await issue(watchword)
    let error: unknown
    const audited = await auditOf(async () => {
      error = await failureOf(() => watchword.tokens.get(token.id))
    })
    expect(error).toMatchObject({ code: 'ERR_STORE_CORRUPT', detail: `token ${token.id}` })
    expect(audited).toMatchObject([{ action: 'store.tampered', target: 'token', id: token.id }])
  })
})

describe('tokens.list', () => {
  it.each([
    ['oldest', '0'],
    ['newest', 'z'],
  ] as const)(
    'continues after a row with any id that an attacker inserted, %s first',
    async (order, first) => {
      const store = sharedStore()
      const { watchword } = await rig({}, { store })
      const { id } = await issue(watchword)
      await issue(watchword)
      const record = await store.getToken(id)
      if (record === undefined) throw new Error('no record')
      const forged = { ...record, id: `${first}${id.slice(1, 20)} forged` }
      await store.insertTokens([forged])
      const seen: string[] = []
      let page = await watchword.tokens.list({ limit: 1, order })
      for (;;) {
        seen.push(...page.items.map((item) => item.id), ...(page.corrupt ?? []))
        if (page.next === undefined) break
        page = await watchword.tokens.list({ limit: 1, order, after: page.next })
      }
      expect(seen).toHaveLength(3)
      expect(seen[0]).toBe(forged.id)
    },
  )

  it('refuses a position that no page returned, and rejects if it cannot tell', async () => {
    let fails: string | undefined
    const inner = sharedStore()
    const getToken = async (id: string) => {
      if (fails === undefined) return inner.getToken(id)
      throw new WatchwordError(fails as 'ERR_STORE_CORRUPT', 'failed')
    }
    const { watchword } = await rig({}, { store: { ...inner, getToken } })
    await issue(watchword)
    const list = () => watchword.tokens.list({ after: 'zz' })
    expect(await failureOf(list)).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: "after: expected `next` of the previous page, got 'zz'",
    })
    fails = 'ERR_STORE_UNAVAILABLE'
    expect(await codeOf(list)).toBe(fails)
    // Such a row is there, though nothing can be read of it.
    fails = 'ERR_STORE_CORRUPT'
    expect((await list()).items).toEqual([])
  })

  it('returns pages that continue after one another, and no cursor on the last page', async () => {
    const { watchword } = await rig()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await issue(watchword, `svc_${i}`)).id)
    const pages: string[][] = []
    let after: string | undefined
    do {
      const page = await watchword.tokens.list({ limit: 2, ...(after && { after }) })
      pages.push(page.items.map(({ id }) => id))
      after = page.next
    } while (after !== undefined)
    const newestFirst = ids.sort().reverse()
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1])
    expect(new Set(pages.flat())).toEqual(new Set(newestFirst))
  })

  it('accepts a limit from 1 to 1000', async () => {
    const { watchword } = await rig()
    for (const limit of [1, 1000])
      expect((await watchword.tokens.list({ limit })).items).toEqual([])
    for (const limit of [0, 1001, 1.5])
      expect(await codeOf(() => watchword.tokens.list({ limit }))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('leaves edited records out, lists their ids as corrupt, and reports them', async () => {
    const store = editedStore((row) => {
      const { subject } = row as { subject: string }
      return subject === 'svc_edited' ? { ...row, policy: 'short' } : row
    })
    const { watchword } = await rig({}, { store })
    const intact = await issue(watchword)
    const edited = await issue(watchword, 'svc_edited')
    const audited = await auditOf(async () => {
      const page = await watchword.tokens.list()
      expect(page.items.map(({ id }) => id)).toEqual([intact.id])
      expect(page.corrupt).toEqual([edited.id])
    })
    expect(audited).toMatchObject([{ action: 'store.tampered', id: edited.id }])
  })

  it('lists the id of a record that does not parse as corrupt', async () => {
    const store = editedStore((row) => ({ ...row, generation: -1 }))
    const { watchword } = await rig({}, { store })
    const { id } = await issue(watchword)
    expect(await watchword.tokens.list()).toEqual({ items: [], corrupt: [id] })
  })
})
