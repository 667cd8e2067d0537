import Libsql from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AuditEvent, audits } from '../../../src/observe/channels.js'
import { sqliteStore } from '../../../src/store/sqlite.js'
import { closeAll, rig } from '../../support/harness.js'

const ACTOR = { actor: 'ops' }
const DETAILS = { label: 'Nightly export', owner: 'team:billing', purpose: 'Reads all orders' }
const INPUT = { policy: 'service', subject: 'mallory', ...ACTOR }

const audited: AuditEvent[] = []
const listen = (event: unknown) => audited.push(event as AuditEvent)
beforeEach(() => audits.subscribe(listen))
afterEach(async () => {
  audits.unsubscribe(listen)
  audited.length = 0
  await closeAll()
})
const tampering = () => audited.filter(({ action }) => action === 'store.tampered').length

async function attack() {
  const database = new Libsql(':memory:')
  // Without the server's clock, because these tests run at a different time.
  const { now: _, ...store } = sqliteStore(database)
  await store.migrate()
  const { watchword } = await rig({}, { store })
  const write = (set: string, id: string) =>
    void database.prepare(`UPDATE watchword_tokens SET ${set} WHERE id = ?`).run(id)
  return { watchword, write }
}

const CORRUPT = { code: 'ERR_STORE_CORRUPT' }

describe('the details of a row', () => {
  it.each([
    "label = 'x'",
    "owner = 'x'",
    'owner = NULL',
    "purpose = 'x'",
    "hint = 'xxxx'",
    'hint = NULL',
    "details_tag = ''",
    'details_tag = NULL',
    "details_tag = 'v4.local.x'",
    'details_tag = tag',
  ])('are rejected and reported after an editor of the database wrote %s', async (set) => {
    const { watchword, write } = await attack()
    const { id, token } = await watchword.issue({ ...INPUT, ...DETAILS })
    write(set, id)
    await expect(watchword.tokens.get(id)).rejects.toMatchObject(CORRUPT)
    await expect(watchword.tokens.update(id, { owner: 'b' }, ACTOR)).rejects.toMatchObject(CORRUPT)
    await expect(watchword.rotate(token, ACTOR)).rejects.toMatchObject(CORRUPT)
    expect(await watchword.tokens.list()).toEqual({ items: [], corrupt: [id] })
    expect(tampering()).toBe(4)
    // They decide nothing about the token.
    expect(watchword.verify(token).ok).toBe(true)
    expect(await watchword.authenticate(token, { freshness: 'store' })).toMatchObject({ ok: true })
    expect(await watchword.revoke({ id }, ACTOR)).toMatchObject({ matched: 1 })
  })

  it('are rejected when they come from another row', async () => {
    const { watchword, write } = await attack()
    const [one, two] = [
      await watchword.issue({ ...INPUT, ...DETAILS }),
      await watchword.issue({ ...INPUT, ...DETAILS, owner: 'root' }),
    ]
    const columns = ['label', 'owner', 'purpose', 'hint', 'details_tag']
    write(
      columns
        .map((name) => `${name} = (SELECT ${name} FROM watchword_tokens WHERE id = '${two.id}')`)
        .join(', '),
      one.id,
    )
    await expect(watchword.tokens.get(one.id)).rejects.toMatchObject(CORRUPT)
  })

  it('cannot be added to a row that has none', async () => {
    const { watchword, write } = await attack()
    const { id } = await watchword.issue(INPUT)
    write("owner = 'x'", id)
    await expect(watchword.tokens.get(id)).rejects.toMatchObject(CORRUPT)
  })

  it('are not those of another token, if an editor of the database wrote its id as the successor', async () => {
    const { watchword, write } = await attack()
    const mine = await watchword.issue(INPUT)
    const victim = await watchword.issue({ ...INPUT, subject: 'alice', ...DETAILS })
    write(`successor = '${victim.id}'`, mine.id)
    await watchword.tokens.update(mine.id, { owner: 'mallory' }, ACTOR)
    expect(await watchword.tokens.get(victim.id)).toMatchObject(DETAILS)
  })

  it('are updated once if an editor of the database wrote a cycle of successors', async () => {
    const { watchword, write } = await attack()
    const first = await watchword.issue({ ...INPUT, ...DETAILS })
    const second = await watchword.rotate(first.token, ACTOR)
    write(`successor = '${first.id}'`, second.id)
    await watchword.tokens.update(first.id, { owner: 'b' }, ACTOR)
    expect(await watchword.tokens.get(second.id)).toMatchObject({ owner: 'b' })
    expect(audited.filter(({ action }) => action === 'token.updated')).toHaveLength(2)
  })

  it('of a row that was moved to another family are not updated', async () => {
    const { watchword, write } = await attack()
    const mine = await watchword.issue(INPUT)
    const victim = await watchword.issue({ ...INPUT, subject: 'alice', ...DETAILS })
    write(`family = '${mine.id}', generation = 1`, victim.id)
    const update = watchword.tokens.update(mine.id, { owner: 'mallory' }, ACTOR)
    await expect(update).rejects.toMatchObject(CORRUPT)
  })

  it('can be erased as a whole, which leaves a token without an owner', async () => {
    const { watchword, write } = await attack()
    const { id } = await watchword.issue({ ...INPUT, ...DETAILS })
    write('label = NULL, owner = NULL, purpose = NULL, details_tag = NULL', id)
    expect(await watchword.tokens.get(id)).toMatchObject({ owner: null })
  })
})
