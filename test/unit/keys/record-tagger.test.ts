import { beforeAll, describe, expect, it } from 'vitest'
import { generateKey, keyId, ready } from 'watchword/paseto'
import type { Revocation } from 'watchword/store'
import { RecordTagger, rowInspector, type TagKeys } from '../../../src/keys/record-tagger.js'
import { isRevocationIntact, keyIdOfTag } from '../../../src/keys/record-tags.js'
import { fixtures } from '../../../src/testkit/store/fixtures.js'

beforeAll(() => ready)

const make = fixtures('tagger')

/** Tag keys of one loaded key, or of none. */
function newKeys(isLoaded = true) {
  const key = generateKey()
  const id = keyId(key)
  let refreshes = 0
  const opening = (other: string) => (isLoaded && other === id ? key : undefined)
  const keys: TagKeys = {
    sealingIfAny: () => (isLoaded ? { id, key } : undefined),
    opening,
    loaded: (other) => {
      const found = opening(other)
      if (found === undefined) throw new Error('not loaded')
      return found
    },
    refresh: async () => ++refreshes > 0,
  }
  return { id, key, tagger: new RecordTagger(keys), refreshes: () => refreshes }
}

const footer = (id: string) => Buffer.from(`{"kid":"${id}"}`).toString('base64url')

describe('the tag of a revocation', () => {
  it('is empty without a loaded key, because a revocation must not wait for one', () => {
    const { tagger } = newKeys(false)
    expect(tagger.ofRevocation(make.revocation('all', '')).tag).toBe('')
  })

  it('names its key, and a text without four parts names none', () => {
    const { id, tagger } = newKeys()
    const { tag } = tagger.ofRevocation(make.revocation('all', ''))
    expect(keyIdOfTag(tag)).toBe(id)
    for (const other of ['', 'v4.local.body', `v4.local.body.${footer('another')}`])
      expect(keyIdOfTag(other)).toBeUndefined()
  })

  it('matches only the revocation that it was made for, under the footer of its own key', () => {
    const { id, key, tagger } = newKeys()
    const revocation = tagger.ofRevocation(make.revocation('subject', 'user:1'))
    const isIntact = (change: Partial<Revocation>) =>
      isRevocationIntact(key, { ...revocation, ...change })
    expect(isIntact({})).toBe(true)
    for (const change of [
      { value: 'user:2' },
      { reason: null },
      { tag: '' },
      { tag: revocation.tag.slice('v4.local.'.length) },
      // The same key, named in a footer with more parts after it.
      { tag: `${revocation.tag}.more` },
      { tag: `v4.local.body.${footer(id)}.${footer(id)}x` },
    ])
      expect(isIntact(change)).toBe(false)
  })
})

describe('an inspection of rows', () => {
  function inspecting(isLoaded = true) {
    const parts = newKeys(isLoaded)
    const reported: string[] = []
    const inspector = rowInspector(parts.tagger, (target, id) => reported.push(`${target} ${id}`))
    return { ...parts, reported, inspector }
  }

  it('finds rows with their own tags intact and reports nothing', async () => {
    const { id, tagger, reported, inspector } = inspecting()
    const token = tagger.ofRecord(make.token({ keyId: id }))
    const revocation = tagger.ofRevocation(make.revocation('token', token.id))
    expect(await inspector.token(token)).toBe(true)
    expect(await inspector.revocation(revocation)).toBe(true)
    expect(reported).toEqual([])
  })

  it('reports edited rows', async () => {
    const { id, tagger, reported, inspector } = inspecting()
    const token = { ...tagger.ofRecord(make.token({ keyId: id })), subject: 'mallory' }
    const revocation = { ...tagger.ofRevocation(make.revocation('all', '')), before: 0 }
    expect(await inspector.token(token)).toBe(false)
    expect(await inspector.revocation(revocation)).toBe(false)
    expect(reported).toEqual([`token ${token.id}`, `revocation ${revocation.id}`])
  })

  it('reports a revocation without a tag, unless it discards a key', async () => {
    const { reported, inspector } = inspecting()
    const [subject, key] = [
      make.revocation('subject', 'user:1', { tag: '' }),
      make.revocation('key', make.keyId(), { tag: '' }),
    ]
    expect(await inspector.revocation(subject)).toBe(false)
    expect(await inspector.revocation(key)).toBe(false)
    expect(reported).toEqual([`revocation ${subject.id}`])
  })

  it('reports no row whose key cannot be loaded, after one attempt to load it', async () => {
    const { reported, inspector, refreshes } = inspecting(false)
    expect(await inspector.token(make.token())).toBe(false)
    expect([reported, refreshes()]).toEqual([[], 1])
  })
})
