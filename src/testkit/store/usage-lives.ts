/**
 * What processes have reported: from when until when they counted, and what they lost.
 *
 * @module
 */
import type { UsageGap, UsageLife } from '../../store/usage.js'
import { holds, type StoreCase, same } from './case.js'
import { HOUR, MINUTE, NOW } from './fixtures.js'
import { TEXTS } from './texts.js'
import { livesOf, rowsOf, usageLife, usageOf, usageRow } from './usage-fixtures.js'

const needs = 'usage'

const gap = (from: number, to: number): UsageGap => ({ from: NOW + from, to: NOW + to })

/** Gaps of a minute, an hour apart, except the one at `closer`, which is nearer to the one before. */
function manyGaps(count: number, closer: number): UsageGap[] {
  return Array.from({ length: count }, (_, index) => {
    const from = index * HOUR - (index === closer ? HOUR / 2 : 0)
    return gap(from, from + MINUTE)
  })
}

export const usageLifeCases: readonly StoreCase[] = [
  {
    rule: 'lives.exact',
    title: 'returns lives exactly as merged, in ascending order',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const texts = [...TEXTS, '語'.repeat(256), '👩'.repeat(128)]
      const lives: UsageLife[] = texts.map((node, index) =>
        usageLife(make.id(), {
          node,
          to: NOW + index,
          endedAt: index % 2 === 0 ? null : NOW + index,
          gaps: Array.from({ length: index % 65 }, (_, i) => gap(i * 2, i * 2 + 1)),
        }),
      )
      for (const life of make.shuffled(lives)) await usageOf(store).mergeLife(life)
      same(await livesOf(other), lives, 'the lives')
    },
  },
  {
    rule: 'lives.first',
    title: 'keeps the node and the start of the first report',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = usageLife(make.id())
      await usageOf(store).mergeLife(life)
      await usageOf(other).mergeLife({ ...life, node: 'another', from: NOW - HOUR })
      await usageOf(other).mergeLife({ ...life, node: 'a third', from: NOW + HOUR })
      same(await livesOf(store), [life], 'the lives')
    },
  },
  {
    rule: 'lives.forward',
    title: 'moves the end of what is covered forward and never back',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = usageLife(make.id(), { to: NOW })
      const bystander = usageLife(make.id(), { to: NOW + 5 })
      await usageOf(store).mergeLife(bystander)
      for (const [to, expected] of [
        [NOW, NOW],
        [NOW + 9, NOW + 9],
        [NOW + 8, NOW + 9],
        [0, NOW + 9],
        [NOW + 9, NOW + 9],
        [NOW + 10, NOW + 10],
      ] as const) {
        await usageOf(other).mergeLife({ ...life, to })
        same(
          await livesOf(store),
          [{ ...life, to: expected }, bystander],
          `the lives after ${to - NOW}`,
        )
      }
    },
  },
  {
    rule: 'lives.ended',
    title: 'sets the time of the end once',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = usageLife(make.id())
      await usageOf(store).mergeLife(life)
      await usageOf(other).mergeLife({ ...life, endedAt: NOW + 7 })
      const ended = { ...life, endedAt: NOW + 7 }
      for (const endedAt of [NOW + 3, NOW + 9, null]) {
        await usageOf(store).mergeLife({ ...life, endedAt })
        same(await livesOf(other), [ended], `the life after ${endedAt}`)
      }
      await usageOf(store).mergeLife({ ...life, to: NOW + 2 * HOUR })
      same(await livesOf(other), [{ ...ended, to: NOW + 2 * HOUR }], 'the life after a late report')
    },
  },
  {
    rule: 'lives.gaps',
    title: 'adds gaps in ascending order, and joins those that overlap or touch',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const life = usageLife(make.id(), { gaps: [gap(100, 200)] })
      await usageOf(store).mergeLife(life)
      const expectAfter = async (gaps: readonly UsageGap[], expected: readonly UsageGap[]) => {
        await usageOf(other).mergeLife({ ...life, gaps })
        same((await livesOf(store))[0]?.gaps, expected, `the gaps after ${JSON.stringify(gaps)}`)
      }
      await expectAfter([], [gap(100, 200)])
      await expectAfter([gap(100, 200)], [gap(100, 200)])
      await expectAfter([gap(120, 150)], [gap(100, 200)])
      await expectAfter([gap(300, 400)], [gap(100, 200), gap(300, 400)])
      await expectAfter([gap(0, 50)], [gap(0, 50), gap(100, 200), gap(300, 400)])
      await expectAfter([gap(201, 210)], [gap(0, 50), gap(100, 200), gap(201, 210), gap(300, 400)])
      await expectAfter([gap(200, 201)], [gap(0, 50), gap(100, 210), gap(300, 400)])
      await expectAfter([gap(350, 500), gap(40, 60)], [gap(0, 60), gap(100, 210), gap(300, 500)])
      await expectAfter([gap(50, 301)], [gap(0, 500)])
    },
  },
  {
    rule: 'lives.many-gaps',
    title: 'keeps at most 64 gaps: joins the two with the least time between them',
    needs,
    async run({ store, make }) {
      const closest = (gaps: readonly UsageGap[], at: number) => [
        ...gaps.slice(0, at - 1),
        { from: gaps[at - 1]?.from, to: gaps[at]?.to },
        ...gaps.slice(at + 1),
      ]
      const all = manyGaps(65, 20)
      const atOnce = usageLife(make.id(), { gaps: all })
      await usageOf(store).mergeLife(atOnce)
      same((await livesOf(store))[0]?.gaps, closest(all, 20), 'the gaps of one report')
      const life = usageLife(make.id())
      const given = make.shuffled(manyGaps(64, 33))
      while (given.length > 0) await usageOf(store).mergeLife({ ...life, gaps: given.splice(0, 9) })
      same((await livesOf(store))[1]?.gaps, manyGaps(64, 33), '64 gaps')
      const last = manyGaps(65, 33).slice(-1)
      for (let time = 0; time < 2; time++) {
        await usageOf(store).mergeLife({ ...life, gaps: last })
        const expected = closest(manyGaps(65, 33), 33)
        same((await livesOf(store))[1]?.gaps, expected, 'the gaps after one more')
      }
    },
  },
  {
    rule: 'lives.order',
    title: 'ends with the same life, regardless of the order of the reports',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      for (let round = 0; round < 4; round++) {
        const first = usageLife(make.id(), { to: NOW })
        await usageOf(store).mergeLife(first)
        const reports = [1, 2, 3, 4, 5].map((step) => ({
          ...first,
          to: NOW + step * MINUTE,
          endedAt: step === 5 ? NOW + HOUR : null,
          gaps: step % 2 === 0 ? [] : [gap(step * MINUTE, step * MINUTE + 5)],
        }))
        for (const [index, report] of make.shuffled([...reports, ...reports]).entries())
          await usageOf(index % 2 === 0 ? store : other).mergeLife(report)
        const gaps = [1, 3, 5].map((step) => gap(step * MINUTE, step * MINUTE + 5))
        const expected = { ...first, to: NOW + 5 * MINUTE, endedAt: NOW + HOUR, gaps }
        same((await livesOf(store))[round], expected, `the life of round ${round}`)
      }
    },
  },
  {
    rule: 'lives.list',
    title: 'lists the lives that have not ended, or that ended after a time',
    needs,
    async run({ store, make }) {
      const ends = [null, NOW - 1, NOW, NOW + 1, null, 0]
      const lives = ends.map((endedAt) => usageLife(make.id(), { endedAt }))
      for (const life of make.shuffled(lives)) await usageOf(store).mergeLife(life)
      const expectSince = async (since: number, indexes: readonly number[]) =>
        same(
          await usageOf(store).listLives(since),
          indexes.map((index) => lives[index]),
          `the lives since ${since - NOW}`,
        )
      await expectSince(NOW - 2, [0, 1, 2, 3, 4])
      await expectSince(NOW - 1, [0, 2, 3, 4])
      await expectSince(NOW, [0, 3, 4])
      await expectSince(NOW + 1, [0, 4])
    },
  },
  {
    rule: 'lives.purge',
    title: 'removes the lives that ended by a time, and keeps the rows that they counted',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const ends = [null, NOW - 1, NOW, NOW + 1]
      const lives = ends.map((endedAt) => usageLife(make.id(), { endedAt, from: 0, to: 1 }))
      for (const life of lives) await usageOf(store).mergeLife(life)
      const [, ended] = lives.map(({ life }) => life)
      const row = usageRow(make.id(), ended as string, { from: NOW + HOUR })
      await usageOf(store).mergeRows([row])
      await usageOf(store).purge({ foldUntil: NOW + HOUR, removeUntil: NOW - 2 })
      same(await usageOf(other).listLives(0), lives, 'the lives before any has ended')
      await usageOf(store).purge({ foldUntil: 0, removeUntil: NOW })
      same(await usageOf(other).listLives(0), [lives[0], lives[3]], 'the lives')
      same(await rowsOf(other, [row.id]), [row], 'the rows')
    },
  },
  {
    rule: 'lives.copies',
    title: 'keeps and returns copies',
    needs,
    async run({ store, make }) {
      const life = usageLife(make.id(), { gaps: [gap(1, 2)] })
      const given = structuredClone(life)
      await usageOf(store).mergeLife(given)
      for (const each of given.gaps) Object.assign(each, { to: 99 })
      const found = await livesOf(store)
      same(found, [life], 'the life after the merged one was changed')
      for (const each of found) {
        for (const lost of each.gaps) Object.assign(lost, { to: 99 })
        Object.assign(each, { to: 0 })
      }
      const again = await livesOf(store)
      holds(again.length === 1, 'there is one life')
      same(again[0], life, 'the life after the returned one was changed')
    },
  },
]
