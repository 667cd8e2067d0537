import { describe, expect, it } from 'vitest'
import { Outbox } from '../../../../src/revocation/follower/outbox.js'
import type { WatermarkEntry } from '../../../../src/revocation/index/entries.js'

const subject = (before: number): WatermarkEntry => ({
  kind: 'subject',
  value: 'svc_billing',
  before,
  expiresAt: 1000,
})

describe('the outbox', () => {
  it('combines entries of one target and skips entries about nodes', () => {
    const outbox = new Outbox()
    outbox.add([subject(1), { kind: 'join', value: 'node', until: 5 }, subject(3), subject(2)])
    expect(outbox.first(10)).toEqual([subject(3)])
  })

  it('removes an entry that the log has confirmed', () => {
    const outbox = new Outbox()
    outbox.add([subject(1)])
    outbox.settle(outbox.first(1))
    expect([outbox.size, outbox.has(subject(1))]).toEqual([0, false])
  })

  it('keeps an entry that was extended while the log confirmed its earlier form', () => {
    const outbox = new Outbox()
    outbox.add([subject(1)])
    const sent = outbox.first(1)
    outbox.add([subject(2)])
    outbox.settle(sent)
    expect(outbox.first(10)).toEqual([subject(2)])
  })
})
