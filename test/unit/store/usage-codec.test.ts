import { describe, expect, it } from 'vitest'
import { lifeOf, lifeText, usageRowOf, usageText } from '../../../src/store/redis/usage-rows.js'
import { gapsOf, gapsText, listsOf, rowTexts, summable } from '../../../src/store/usage-codec.js'
import { folded, joinedGaps, largestOf } from '../../../src/store/usage-sums.js'
import { NOW } from '../../../src/testkit/store/fixtures.js'
import { usageLife, usageRow } from '../../../src/testkit/store/usage-fixtures.js'

const ROW = usageRow('token', 'life', {
  refused: { expired: 1, '"\0\ud800': 2, ['__proto__']: 3 },
  callers: [{ address: '', route: '/"', userAgent: '\0', requests: 1 }],
})

describe('the text of usage', () => {
  it('returns what was encoded, with any characters', () => {
    const { refused, scopes, callers } = ROW
    expect(listsOf(rowTexts(ROW))).toEqual({ refused, scopes, callers })
    expect(Object.keys(listsOf(rowTexts(ROW)).refused)).toContain('__proto__')
    expect(usageRowOf('token', `${NOW}:life`, usageText(ROW, 'h'))).toEqual(ROW)
    const life = usageLife('life', { node: 'a"\n', gaps: [{ from: 1, to: 2 }] })
    expect(lifeOf(lifeText(life))).toEqual(life)
    expect(gapsOf(gapsText(life))).toEqual(life.gaps)
  })

  it('passes unreadable content through, and counts it as nothing in a sum', () => {
    const lists = listsOf({ refused: 'a', scopes: '5', callers: null })
    expect(lists).toEqual({ refused: 'a', scopes: '5', callers: null })
    const broken = usageRowOf('token', `${NOW}:life`, 'broken')
    expect([broken.id, broken.from, broken.life]).toEqual(['token', NOW, 'life'])
    expect(broken.requests).toBeUndefined()
    for (const text of ['h1:{}', 'h1:[1,2,3,4]', '', 'h1:[[],[],[],[]]']) {
      const row = summable(usageRowOf('token', `${NOW}:life`, text))
      expect(folded([ROW, row])).toEqual({ ...ROW })
    }
    expect(summable({ ...ROW, ...(lists as object), others: 'x' as never })).toEqual({
      ...ROW,
      refused: {},
      scopes: [],
      callers: [],
      others: 0,
    })
    expect(lifeOf('{}').life).toBeUndefined()
    expect(lifeOf('nothing').gaps).toBeUndefined()
  })
})

describe('the sums of usage', () => {
  it('keep the last of the largest rows for each key that is not closed', () => {
    const again = { ...ROW, others: 9 }
    const small = { ...ROW, requests: 0 }
    expect(largestOf([ROW, again, small], 0)).toEqual([again])
    expect(largestOf([ROW, again, small], NOW + 3_600_000)).toEqual([])
  })

  it('take the only time of use, and none if there is none', () => {
    const idle = { ...ROW, firstUsedAt: null, lastUsedAt: null }
    expect(folded([idle, ROW]).firstUsedAt).toBe(ROW.firstUsedAt)
    expect(folded([ROW, idle]).lastUsedAt).toBe(ROW.lastUsedAt)
    expect(folded([idle, idle]).lastUsedAt).toBeNull()
  })

  it('join gaps until there are 64', () => {
    const gaps = Array.from({ length: 200 }, (_, i) => ({ from: i * i * 10, to: i * i * 10 + 1 }))
    const joined = joinedGaps([...gaps].reverse())
    expect(joined).toHaveLength(64)
    for (const { from, to } of gaps)
      expect(joined.filter((gap) => gap.from <= from && gap.to >= to)).toHaveLength(1)
    expect(joined.at(-1)).toEqual(gaps.at(-1))
  })
})
