import { describe, expect, it } from 'vitest'
import type { Usage } from 'watchword/store'
import { manualClock } from 'watchword/testkit'
import { resolveClock } from '../../../../src/lib/clock.js'
import { LastUseRecorder, USAGE_INTERVAL_MS } from '../../../../src/observe/usage/last-use.js'

const MAX_PENDING = 100_000

function newRecorder(write?: (usages: readonly Usage[]) => Promise<void>) {
  const clock = manualClock()
  const written: (readonly Usage[])[] = []
  const keep = async (usages: readonly Usage[]) => void written.push(usages)
  return { clock, written, recorder: new LastUseRecorder(resolveClock(clock), write ?? keep) }
}

describe('the recorder of last uses', () => {
  it('writes the latest use of each token once per interval', async () => {
    const { clock, written, recorder } = newRecorder()
    recorder.note('a', 1)
    recorder.note('b', 2)
    recorder.note('a', 3)
    await clock.advance(USAGE_INTERVAL_MS - 1)
    expect(written).toEqual([])
    await clock.advance(1)
    const first = [
      { id: 'a', at: 3 },
      { id: 'b', at: 2 },
    ]
    expect(written).toEqual([first])
    recorder.note('b', 4)
    await clock.advance(USAGE_INTERVAL_MS)
    expect(written).toEqual([first, [{ id: 'b', at: 4 }]])
  })

  it('drops uses of further tokens at its limit and still updates the recorded ones', async () => {
    const { written, recorder } = newRecorder()
    for (let i = 0; i < MAX_PENDING; i++) recorder.note(`token ${i}`, 1)
    recorder.note('one too many', 2)
    recorder.note('token 0', 3)
    await recorder.flush()
    const usages = written.flat()
    expect(usages).toHaveLength(MAX_PENDING)
    expect(usages[0]).toEqual({ id: 'token 0', at: 3 })
    expect(usages.map(({ id }) => id)).not.toContain('one too many')
    recorder.note('one too many', 4)
    await recorder.flush()
    expect(written.at(-1)).toEqual([{ id: 'one too many', at: 4 }])
  })

  it('continues after a scheduled write that fails', async () => {
    let isDown = true
    const written: Usage[] = []
    const { clock, recorder } = newRecorder(async (usages) => {
      if (isDown) throw new Error('the store is down')
      written.push(...usages)
    })
    recorder.note('a', 1)
    await clock.advance(USAGE_INTERVAL_MS)
    isDown = false
    recorder.note('a', 2)
    await clock.advance(USAGE_INTERVAL_MS)
    expect(written).toEqual([{ id: 'a', at: 2 }])
  })
})
