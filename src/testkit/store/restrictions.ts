/**
 * The optional part that keeps restrictions: one register per target, changed by compare-and-set.
 *
 * @module
 */
import { compareTargets, type RestrictionRecord } from '../../store/restrictions.js'
import { atOnce, count } from './at-once.js'
import { holds, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import {
  allRegisters,
  auditRow,
  pendingIds,
  registerOf,
  restrictionsOf,
  revisionAfter,
  write,
} from './restriction-fixtures.js'
import { LONG, strangeIds, TEXTS } from './texts.js'

const needs = 'restrictions' as const

export const restrictionCases: readonly StoreCase[] = [
  {
    rule: 'registers.write',
    title: 'returns each revision as written, with every field',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const family = make.id()
      const rows = [
        registerOf('token', make.id(), { family, generation: 0 }),
        registerOf('token', make.id(), { family, generation: 2 ** 32 - 1 }),
        registerOf('token', make.id(), { reason: null }),
        registerOf('family', family),
        registerOf('subject', family),
        registerOf('audience', family, { expiresAt: 2 ** 48 }),
        registerOf('freeze', ''),
      ]
      for (const row of rows) {
        same(await restrictionsOf(other).read(row), undefined, 'a register before it is written')
        await write(store, row)
      }
      for (const row of rows) same(await restrictionsOf(other).read(row), row, 'the register')
      for (const row of rows) {
        const next = revisionAfter(row, { at: NOW + 1, actor: 'another', expiresAt: NOW, tag: '' })
        await write(other, next)
        same(await restrictionsOf(store).read(row), next, 'the next revision')
        await write(store, { ...row, revision: 3 })
        same(await restrictionsOf(other).read(row), { ...row, revision: 3 }, 'the third revision')
      }
    },
  },
  {
    rule: 'registers.compare',
    title: 'writes nothing, and returns the current state, unless the revision is the next one',
    across: 'also',
    needs,
    async run({ store, other }) {
      const first = registerOf('subject', 'user:1')
      const second = revisionAfter(first)
      const expect = async (next: RestrictionRecord, current: RestrictionRecord | undefined) => {
        same(
          await restrictionsOf(other).write(next),
          { outcome: 'changed', current },
          `revision ${next.revision}`,
        )
        same(await restrictionsOf(store).read(first), current, 'the register')
      }
      await expect(second, undefined)
      await write(store, first)
      await expect({ ...first, state: '{}' }, first)
      await expect({ ...first, revision: 3 }, first)
      await write(store, second)
      await expect(first, second)
      await expect({ ...second, revision: 4 }, second)
      await write(store, registerOf('audience', 'user:1'))
      await expect(first, second)
    },
  },
  {
    rule: 'registers.retry',
    title: 'returns `written` for a repeated write only if the register equals it',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const token = registerOf('token', make.id(), { family: make.id(), generation: 3 })
      for (const row of [token, revisionAfter(token)]) {
        await write(store, row)
        await write(other, row)
        const changes: Partial<RestrictionRecord>[] = [
          { state: '{"issue":{"until":null}}' },
          { family: make.id() },
          { family: null, generation: null },
          { generation: 4 },
          { at: NOW + 7 },
          { actor: 'Operator' },
          { reason: row.reason === null ? 'none' : null },
          { expiresAt: NOW },
          { tag: 'v4.local.other' },
        ]
        for (const change of changes) {
          const result = await restrictionsOf(other).write({ ...row, ...change })
          const [field] = Object.keys(change)
          same(result, { outcome: 'changed', current: row }, `another ${field}`)
        }
        same(await restrictionsOf(store).read(row), row, 'the register')
      }
    },
  },
  {
    rule: 'registers.audit-with',
    title: 'writes the rows of the audit together with each revision',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const first = registerOf('family', make.id())
      const rows = Array.from({ length: 3 }, () => auditRow(make))
      await write(store, first, rows.slice(0, 1))
      await write(store, revisionAfter(first), rows.slice(1))
      const ids = await pendingIds(other)
      if (ids !== undefined) same(ids, rows.map(({ id }) => id).sort(), 'the pending rows')
    },
  },
  {
    rule: 'registers.audit-only',
    title: 'writes no row of the audit for a write that is refused or repeated',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const first = registerOf('family', make.id())
      const audit = auditRow(make)
      await restrictionsOf(store).write(revisionAfter(first), [auditRow(make)])
      await write(store, first, [audit])
      await write(other, first, [audit])
      await write(other, first, [auditRow(make)])
      await restrictionsOf(other).write({ ...first, state: '{}' }, [auditRow(make)])
      await restrictionsOf(other).write({ ...first, revision: 7 }, [auditRow(make)])
      const ids = await pendingIds(store)
      if (ids !== undefined) same(ids, [audit.id], 'the pending rows')
    },
  },
  {
    rule: 'registers.races',
    title: 'lets exactly one of concurrent writers succeed, and shows the others its state',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      let current: RestrictionRecord | undefined
      const target = registerOf('subject', 'user:1', { revision: 0 })
      for (let round = 0; round < 5; round++) {
        const writers = Array.from({ length: 12 }, (_, writer) => ({
          next: revisionAfter(current ?? target, { actor: `writer ${writer}`, at: NOW + writer }),
          audit: auditRow(make),
        }))
        const results = await atOnce([store, other], writers, (one, { next, audit }) =>
          restrictionsOf(one).write(next, [audit]),
        )
        const winner = results.findIndex(({ outcome }) => outcome === 'written')
        same(
          count(results, ({ outcome }) => outcome === 'written'),
          1,
          'the number of winners',
        )
        current = writers[winner]?.next
        same(await restrictionsOf(store).read(target), current, 'the register')
        for (const result of results)
          if (result.outcome === 'changed') same(result.current, current, 'what the others see')
        const ids = await pendingIds(store)
        const audited = ids && writers.flatMap(({ audit }) => (ids.includes(audit.id) ? audit : []))
        if (audited !== undefined) same(audited, [writers[winner]?.audit], 'the rows of the audit')
      }
    },
  },
  {
    rule: 'registers.race-retry',
    title: 'returns `written` to each of concurrent repetitions of one write, and writes it once',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      for (let round = 0; round < 4; round++) {
        const next = registerOf('family', make.id())
        const rows = Array.from({ length: 8 }, () => auditRow(make))
        const results = await atOnce([store, other], rows, (one, row) =>
          restrictionsOf(one).write(next, [row]),
        )
        same(new Set(results.map(({ outcome }) => outcome)), new Set(['written']), 'the results')
        const ids = await pendingIds(store)
        if (ids !== undefined)
          same(
            count(rows, ({ id }) => ids.includes(id)),
            1,
            'the audit',
          )
      }
    },
  },
  {
    rule: 'registers.text',
    title: 'distinguishes hostile texts and returns them exactly',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const texts = [...TEXTS, ...LONG]
      const rows = texts.map((value, index) => {
        const text = texts[(index + 1) % texts.length] ?? ''
        const actor = TEXTS[index % TEXTS.length] ?? ''
        return registerOf('subject', value, { state: text.repeat(9), actor, reason: text })
      })
      await atOnce([store, other], make.shuffled(rows), (one, row) => write(one, row))
      same(await allRegisters(other), [...rows].sort(compareTargets), 'the registers')
      for (const row of make.shuffled(rows).slice(0, 40))
        same(await restrictionsOf(other).read(row), row, 'a register')
      const known = make.id()
      await write(store, registerOf('token', known))
      for (const value of strangeIds(known))
        same(await restrictionsOf(other).read({ kind: 'token', value }), undefined, 'another id')
    },
  },
  {
    rule: 'registers.state',
    title: 'keeps a state of up to 16,384 characters exactly',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      for (const char of ['a', '"', '\\', 'é', '語', '👩', ' ']) {
        const row = registerOf('family', make.id(), { state: char.repeat(16_384 / char.length) })
        await write(store, row)
        await write(store, row)
        same(await restrictionsOf(other).read(row), row, 'the register')
      }
    },
  },
  {
    rule: 'registers.list',
    title: 'lists every register once, in the order of kind and of the bytes of the value',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      same(await allRegisters(store), [], 'the registers of an empty store')
      // Values whose first difference is far from their beginning, and a prefix of another value.
      const long = ['', 'a', 'b', '語', '\u{ffee}', '👩', '🅰'].map((end) => 'x'.repeat(1020) + end)
      const near = ['a', 'aa', 'a\u{1}', 'a:', 'b', 'B', 'é', '\u{ffee}', '👩', '~']
      const values = [...long, ...near]
      const rows = (['token', 'family', 'subject', 'audience'] as const)
        .flatMap((kind) => values.map((value) => registerOf(kind, value)))
        .concat(registerOf('freeze', ''))
      for (const row of make.shuffled(rows)) await write(store, row)
      const lifted = revisionAfter(registerOf('audience', 'a'))
      await write(store, lifted)
      const expected = rows
        .map((row) => (compareTargets(row, lifted) === 0 ? lifted : row))
        .sort(compareTargets)
      for (const limit of [1, 2, 3, 7, 16, 17, 18, rows.length, rows.length + 1])
        same(await allRegisters(other, limit), expected, `the list in pages of ${limit}`)
      const after = { kind: 'subject', value: 'a\u{2}' } as const
      const [next] = await restrictionsOf(other).list({ after, limit: 1 })
      same(next, registerOf('subject', 'a:'), 'the register after a target that does not exist')
    },
  },
  {
    rule: 'registers.purge',
    title: 'removes the registers whose expiry is not after the time, and no others',
    across: 'also',
    needs,
    async run({ store, other, make }) {
      const row = (expiresAt: number) => registerOf('family', make.id(), { expiresAt })
      const gone = [NOW - HOUR, NOW - 1, NOW].map(row)
      const kept = [NOW + 1, NOW + HOUR].map(row)
      const prolonged = row(NOW)
      for (const one of [...gone, ...kept, prolonged]) await write(store, one)
      const longer = revisionAfter(prolonged, { expiresAt: NOW + HOUR })
      await write(store, longer)
      same(await restrictionsOf(other).purge(NOW), gone.length, 'the number of removed registers')
      same(
        await allRegisters(store),
        [...kept, longer].sort(compareTargets),
        'the registers that are left',
      )
      for (const one of gone) same(await restrictionsOf(store).read(one), undefined, 'a register')
      same(await restrictionsOf(other).purge(NOW), 0, 'the number removed by the same purge again')
      const [first] = gone
      if (first !== undefined) await write(other, first)
      same((await allRegisters(store)).length, 4, 'the number of registers after a new one')
    },
  },
  {
    rule: 'registers.purge-apart',
    title: 'is purged apart from tokens, keys and revocations',
    needs,
    async run({ store, make }) {
      const row = registerOf('family', make.id(), { expiresAt: NOW })
      const token = make.token({ expiresAt: NOW })
      const revocation = make.revocation('subject', 'x', { expiresAt: NOW })
      await write(store, row)
      await store.insertTokens([token])
      await store.revoke(revocation)
      same(await restrictionsOf(store).purge(NOW + HOUR), 1, 'the number of removed registers')
      holds((await store.getToken(token.id)) !== undefined, 'the token was removed as well')
      const left = await store.listRevocations({ limit: 5 })
      same(left.length, 1, 'the number of revocations')
      await write(store, row)
      await store.purge({ tokens: NOW, keys: NOW, revocations: NOW })
      same(await restrictionsOf(store).read(row), row, 'the register after a purge of the others')
    },
  },
]
