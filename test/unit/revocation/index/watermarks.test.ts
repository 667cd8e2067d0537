import { describe, expect, it } from 'vitest'
import type { WatermarkEntry } from '../../../../src/revocation/index/entries.js'
import { isTimed, Watermarks } from '../../../../src/revocation/index/watermarks.js'

describe('the watermarks of a node', () => {
  const NOW = 1_735_689_600_000
  const DAY = 86_400_000
  const mark = (
    kind: WatermarkEntry['kind'],
    value: string,
    before = NOW,
    expiresAt = NOW + DAY,
  ): WatermarkEntry => ({ kind, value, before, expiresAt })

  function holding(...entries: readonly WatermarkEntry[]) {
    const marks = new Watermarks()
    const outcomes = entries.map((entry) => marks.apply(entry, true))
    return { marks, outcomes }
  }
  const KINDS = ['family', 'subject', 'key', 'audience', 'all'] as const

  it.each(KINDS)('count a watermark of a %s as one entry of 168 bytes', (kind) => {
    const { marks } = holding(mark(kind, 'a'), mark(kind, 'b'), mark(kind, 'a', NOW + 1))
    expect([marks.size, marks.bytes]).toEqual([2, 336])
  })

  it('depend on the time of issue unless they revoke a family or a key', () => {
    for (const kind of KINDS) {
      const isByTime = kind !== 'family' && kind !== 'key'
      expect(isTimed(mark(kind, 'a')), kind).toBe(isByTime)
      expect(holding(mark(kind, 'a')).marks.timed, kind).toBe(isByTime)
    }
    expect(new Watermarks().timed).toBe(false)
  })

  it('change by a later time, and by nothing else', () => {
    const { marks, outcomes } = holding(
      mark('subject', 's', 5),
      mark('subject', 's', 5),
      mark('subject', 's', 4),
      mark('subject', 's', 6),
    )
    expect(outcomes).toEqual(['added', 'known', 'known', 'changed'])
    expect(marks.latest('s', 'a')).toBe(6)
  })

  it.each(['family', 'key'] as const)('revoke a %s once, even at different times', (kind) => {
    const { marks, outcomes } = holding(mark(kind, 'a', 5), mark(kind, 'a', 9), mark(kind, 'a', 0))
    expect(outcomes).toEqual(['added', 'known', 'known'])
    expect([...marks.entries()]).toEqual([mark(kind, 'a', 0)])
  })

  it('revoke from the first millisecond of 1970 on', () => {
    for (const time of [0, 1]) {
      const { marks, outcomes } = holding(mark('subject', 's', time), mark('subject', 's', time))
      expect([outcomes, marks.latest('s', 'a')]).toEqual([['added', 'known'], time])
    }
  })

  it('need room for a new target only', () => {
    const marks = new Watermarks()
    expect(marks.apply(mark('subject', 's', 5), false)).toBe('refused')
    expect([marks.size, marks.latest('s', 'a')]).toEqual([0, -1])
    marks.apply(mark('subject', 's', 5), true)
    expect(marks.apply(mark('subject', 's', 6), false)).toBe('changed')
  })

  it('tell whether a family or a key is revoked, also while it is the only one', () => {
    const { marks } = holding(mark('family', 'f'), mark('key', 'k'))
    expect([marks.hasFamily('f'), marks.hasFamily('k')]).toEqual([true, false])
    expect([marks.hasKey('k'), marks.hasKey('f')]).toEqual([true, false])
    expect([new Watermarks().hasFamily('f'), new Watermarks().hasKey('k')]).toEqual([false, false])
  })

  it('cover tokens up to the latest time of their subject, their audience and all tokens', () => {
    const { marks } = holding(mark('subject', 's', 5), mark('audience', 'a', 6))
    expect([marks.latest('s', 'a'), marks.latest('s', '-'), marks.latest('-', '-')]).toEqual([
      6, 5, -1,
    ])
    marks.apply(mark('all', '', 7), true)
    expect(marks.latest('-', '-')).toBe(7)
  })

  it('count around a target up to and including the limit', () => {
    const { marks } = holding(mark('subject', 's', 5), mark('audience', 'a', 7), mark('all', '', 3))
    expect([2, 3, 4, 5, 6, 7].map((limit) => marks.latestAround('all', '', limit))).toEqual([
      -1, 3, 3, 5, 5, 7,
    ])
  })

  it('count of the subjects only the one that is revoked, and the same for audiences', () => {
    const { marks } = holding(mark('subject', 's', 5), mark('audience', 'a', 4))
    expect(marks.latestAround('subject', 's', NOW)).toBe(5)
    expect(marks.latestAround('subject', 'other', NOW)).toBe(4)
    marks.apply(mark('audience', 'a', 6), true)
    expect(marks.latestAround('audience', 'a', NOW)).toBe(6)
    expect(marks.latestAround('audience', 'other', NOW)).toBe(5)
    expect(marks.latestAround('key', 'a', NOW)).toBe(6)
    expect(holding(mark('audience', 'a', 4)).marks.latestAround('audience', 'other', NOW)).toBe(-1)
  })

  it('cover an entry of the same target that is no later and expires no later', () => {
    const { marks } = holding(mark('subject', 's', 5, 50))
    const covers = (before: number, expiresAt: number) =>
      marks.covers(mark('subject', 's', before, expiresAt))
    expect([covers(5, 50), covers(4, 49), covers(6, 50), covers(5, 51)]).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(marks.covers(mark('subject', 'other', 5, 50))).toBe(false)
    expect(marks.covers(mark('audience', 's', 5, 50))).toBe(false)
  })

  it('keep the later of two expiries, and are dropped then and not a millisecond earlier', () => {
    const { marks } = holding(
      mark('subject', 's', 5, 50),
      mark('subject', 's', 5, 60),
      mark('subject', 's', 9, 40),
      mark('key', 'k', 5, 61),
    )
    marks.forget(59)
    expect(marks.size).toBe(2)
    marks.forget(60)
    expect([...marks.entries()]).toEqual([mark('key', 'k', 0, 61)])
    marks.forget(61)
    expect(marks.size).toBe(0)
  })

  it('count a time of the future as the latest allowed, until a later entry arrives', () => {
    const marks = new Watermarks()
    expect(marks.apply(mark('subject', 's', 30), true, 10)).toBe('added')
    expect(marks.latest('s', 'a')).toBe(10)
    expect(marks.apply(mark('subject', 's', 40), true, 20)).toBe('changed')
    expect(marks.latest('s', 'a')).toBe(20)
  })

  it('reach no further by a repeated entry of the future, even after one less far ahead', () => {
    const marks = new Watermarks()
    marks.apply(mark('subject', 's', 30), true, 10)
    const outcome = marks.apply(mark('subject', 's', 20), true, 11)
    expect(outcome === 'changed').toBe(marks.latest('s', 'a') > 10)
    expect(marks.apply(mark('subject', 's', 30), true, 31)).toBe('known')
    expect(marks.latest('s', 'a')).toBeLessThanOrEqual(11)
  })

  it('lose no revocation by a clock that is less far ahead than another was', () => {
    const marks = new Watermarks()
    marks.apply(mark('subject', 's', 300), true, 10)
    const later = mark('subject', 's', 30)
    expect(marks.covers(later)).toBe(false)
    expect(marks.apply(later, true, 20)).toBe('changed')
    expect(marks.latest('s', 'a')).toBe(20)
    expect(marks.covers(later)).toBe(true)
    // Neither is extended when it is repeated, also after its time has come.
    expect(marks.apply(later, true, 40)).toBe('known')
    expect(marks.apply(mark('subject', 's', 300), true, 400)).toBe('known')
    expect(marks.latest('s', 'a')).toBe(20)
  })

  it('lose no revocation that is dated ahead after they were lowered', () => {
    const { marks } = holding(mark('subject', 's', 300))
    marks.clamp(10)
    expect(marks.apply(mark('subject', 's', 30), true, 20)).toBe('changed')
    expect(marks.latest('s', 'a')).toBe(20)
  })

  it('remember sixteen times of the future for a target, and extend the first after more', () => {
    const marks = new Watermarks()
    const repeated = (before: number, latest: number) =>
      marks.apply(mark('subject', 's', before), true, latest)
    for (let i = 0; i < 16; i++) repeated(100 + i, 10)
    expect(repeated(100, 20)).toBe('known')
    repeated(116, 20)
    expect([repeated(101, 30), repeated(100, 30)]).toEqual(['known', 'changed'])
  })

  it('cover an entry of the future that was lowered, and none with another date', () => {
    const marks = new Watermarks()
    marks.apply(mark('subject', 's', 30), true, 10)
    const covers = (before: number) => marks.covers(mark('subject', 's', before))
    expect([covers(10), covers(29), covers(30), covers(31)]).toEqual([true, false, true, false])
  })

  it('are lowered to the latest time, each once, and then cover what they did before', () => {
    const { marks } = holding(
      mark('subject', 's', 30),
      mark('subject', 'present', 10),
      mark('audience', 'a', 20),
      mark('all', '', 11),
      mark('family', 'f', 30),
      mark('key', 'k', 30),
    )
    expect(marks.clamp(10)).toBe(3)
    expect([marks.latest('s', '-'), marks.latest('-', 'a'), marks.latest('-', '-')]).toEqual([
      10, 10, 10,
    ])
    expect([marks.hasFamily('f'), marks.hasKey('k')]).toEqual([true, true])
    expect(marks.covers(mark('subject', 's', 30))).toBe(true)
    expect(marks.covers(mark('subject', 's', 31))).toBe(false)
    expect(marks.clamp(10)).toBe(0)
    expect(marks.apply(mark('subject', 's', 30), true, 40)).toBe('known')
  })

  it('remember the furthest time that was asked for when the clock is set back twice', () => {
    const marks = new Watermarks()
    marks.apply(mark('subject', 's', 30), true, 20)
    expect(marks.clamp(10)).toBe(1)
    expect(marks.covers(mark('subject', 's', 30))).toBe(true)
    expect(marks.apply(mark('subject', 's', 30), true, 40)).toBe('known')
    expect(marks.latest('s', 'a')).toBe(10)
  })
})
