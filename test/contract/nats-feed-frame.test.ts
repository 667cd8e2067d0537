import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame, type Frame } from '../../src/feed/nats/frame.js'
import { OffsetIndex } from '../../src/feed/nats/offset-index.js'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
const count = fc.nat({ max: 2 ** 40 })

const frames: fc.Arbitrary<Frame> = fc
  .record({
    epoch: fc.string({ unit: 'grapheme', maxLength: 22 }),
    before: count,
    link: bytes(16),
    floor: count,
    beaconAt: fc.integer(),
    seal: bytes(512),
    bodies: fc.array(bytes(300), { maxLength: 12 }),
    cuts: fc.array(fc.record({ at: count, seq: count }), { maxLength: 16 }),
  })
  .map(({ epoch, before, link, floor, beaconAt, seal, bodies, cuts }) => ({
    head: { epoch, seq: before + bodies.length, link, floor, beaconAt, bytes: seal },
    events: bodies.map((body, i) => ({ seq: before + 1 + i, bytes: body })),
    cuts,
  }))

describe('a frame', () => {
  it('decodes to what was encoded, from any place in a buffer', () => {
    fc.assert(
      fc.property(frames, fc.nat(9), (frame, offset) => {
        const message = Buffer.concat([Buffer.alloc(offset, 7), encodeFrame(frame)])
        const decoded = decodeFrame(message.subarray(offset))
        message.fill(0)
        expect(decoded).toEqual(frame)
      }),
    )
  })

  it('is invalid when it is cut off at any byte', () => {
    fc.assert(
      fc.property(frames, fc.nat(), (frame, at) => {
        const message = encodeFrame({ ...frame, events: [] })
        expect(decodeFrame(message.subarray(0, at % message.length))).toBeUndefined()
      }),
    )
  })

  it('is decoded or rejected, and never throws, for any message', () => {
    const flip = (message: Uint8Array, at: number, bit: number) => {
      message[at % message.length] = (message[at % message.length] ?? 0) ^ (1 << bit)
      return message
    }
    const spoilt = fc
      .tuple(frames, fc.nat(), fc.nat(7))
      .map(([frame, at, bit]) => flip(encodeFrame(frame), at, bit))
    fc.assert(
      fc.property(fc.oneof(bytes(400), spoilt), (message) => {
        const decoded = decodeFrame(message)
        for (const { seq } of [...(decoded?.events ?? []), ...(decoded ? [decoded.head] : [])])
          expect(Number.isSafeInteger(seq) && seq >= 0).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the offset index', () => {
  it('leads to a position before every requested event, for any content of the stream', () => {
    const streams = fc.array(fc.option(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(3))), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(streams, fc.nat(400), (stream, wanted) => {
        const index = new OffsetIndex('', '')
        stream.forEach((entry, i) => {
          const [last, more] = entry ?? [0, 0]
          const events = Array.from({ length: entry === null ? 0 : more + 1 }, (_, at) => ({
            seq: last - more + at,
            bytes: new Uint8Array(),
          }))
          const head = { seq: last } as Frame['head']
          index.pass(i + 1, { head, events, cuts: [] }, 400)
        })
        const start = index.startFor(wanted)
        const missed = stream.slice(0, start - 1).filter((entry) => (entry?.[0] ?? 0) > wanted)
        expect(missed).toEqual([])
        expect(index.passedTo).toBe(stream.length)
      }),
    )
  })

  it('leads to a position near the requested event', () => {
    const index = new OffsetIndex('', '')
    for (let seq = 1; seq <= 10_000; seq++) {
      const head = { seq } as Frame['head']
      index.pass(seq, { head, events: [{ seq, bytes: new Uint8Array() }], cuts: [] }, seq)
    }
    for (const wanted of [0, 63, 64, 5000, 9999, 10_000]) {
      expect(index.startFor(wanted)).toBeLessThanOrEqual(wanted + 1)
      expect(index.startFor(wanted)).toBeGreaterThan(wanted - 65)
    }
  })
})
