/**
 * Feeds whose appends take several steps, so that other calls interleave and a crash leaves a partial write.
 *
 * @module
 */
import { type Gap, GOOD } from './feed-mutants-rules.js'
import type { Mutant } from './feed-mutants-runner.js'

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

const gapAt = (...places: Gap[]) => ({
  gap: (where: Gap) => (places.includes(where) ? tick() : undefined),
})

export const raceMutants: readonly Mutant[] = [
  { rule: 'races.create', fault: 'compares, then writes', rules: gapAt('check') },
  {
    rule: 'races.create',
    fault: 'tells a loser that there is no log',
    methods: (_, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        return result.ok ? result : { ok: false, head: expect === null ? null : result.head }
      },
    }),
  },
  { rule: 'races.append', fault: 'compares, then writes', rules: gapAt('check') },
  { rule: 'races.append', fault: 'writes, then moves the head', rules: gapAt('head') },
  {
    rule: 'races.append',
    fault: 'reads the head before it takes its turn',
    methods: (_, good) => {
      let turn: Promise<unknown> = Promise.resolve()
      return {
        async append(expect, events, next, options) {
          const before = await good.head(options)
          const mine = turn.then(() => good.append(expect, events, next, options))
          turn = mine
          const result = await mine
          return result.ok ? result : { ok: false, head: before }
        },
      }
    },
  },
  { rule: 'races.writers', fault: 'compares, then writes', rules: gapAt('check') },
  {
    rule: 'races.writers',
    fault: 'retries a rejected append on the current head',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        return result.ok ? result : await good.append(disk.head, events, next, options)
      },
    }),
  },
  { rule: 'races.epoch', fault: 'compares, then writes', rules: gapAt('check') },
  {
    rule: 'races.read',
    fault: 'moves the head, then writes the events',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        const result = await good.append(expect, events, next, options)
        if (!result.ok || disk.head?.seq !== next.seq) return result
        const { rows } = disk
        disk.rows = rows.filter(({ seq }) => !events.some((event) => event.seq === seq))
        await tick()
        disk.rows = rows
        return result
      },
    }),
  },
  {
    rule: 'races.trim',
    fault: 'drops the events, then moves the floor',
    rules: gapAt('trim'),
  },
  {
    rule: 'races.trim',
    fault: 'reads the events, then the floor',
    rules: gapAt('read'),
  },
  { rule: 'races.touch', fault: 'compares, then touches', rules: gapAt('touch') },
  {
    rule: 'races.touch',
    fault: 'a touch moves the link, so that an append is refused',
    rules: {
      touched: (_, next) => ({ ...next, link: next.link.map((byte) => byte ^ 1) }),
    },
  },
]

export const crashMutants: readonly Mutant[] = [
  {
    rule: 'crashes.append',
    fault: 'moves the head, then writes the events',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        if (!GOOD.isHead(disk.head, expect)) return await good.append(expect, events, next, options)
        const { head } = disk
        disk.head = next
        await tick()
        disk.head = head
        return await good.append(expect, events, next, options)
      },
    }),
  },
  {
    rule: 'crashes.append',
    fault: 'is cut off between its events and its head, and cannot go on from there',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        if (events.length < 20) {
          const isTaken = disk.rows.some(({ seq }) => seq === events[0]?.seq)
          if (isTaken && disk.head !== null) throw new Error('duplicate key')
          return await good.append(expect, events, next, options)
        }
        disk.rows.push(...events.map((event) => ({ ...event, epoch: next.epoch })))
        await tick()
        if (options.signal.aborted) throw new Error('cut off')
        disk.rows.splice(-events.length)
        return await good.append(expect, events, next, options)
      },
    }),
  },
  {
    rule: 'crashes.append',
    fault: 'acknowledges, then writes',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        if (!GOOD.isHead(disk.head, expect) || events.length < 20)
          return await good.append(expect, events, next, options)
        setImmediate(() => void good.append(expect, events, next, options).catch(() => undefined))
        return { ok: true }
      },
    }),
  },
  {
    rule: 'crashes.epoch',
    fault: 'drops the old epoch, then begins the new one',
    methods: (disk, good) => ({
      async append(expect, events, next, options) {
        if (expect !== null && next.epoch !== expect.epoch && GOOD.isHead(disk.head, expect)) {
          const { head } = disk
          disk.head = null
          await tick()
          disk.head = head
        }
        return await good.append(expect, events, next, options)
      },
    }),
  },
]
