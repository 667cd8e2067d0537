/**
 * Peeking, for a log in this process.
 *
 * @module
 */
import { holds } from '../store/case.js'
import type { FeedCase } from './case.js'
import { filled, type Log, small } from './log.js'
import { sameHead } from './same.js'

function peek({ feed }: Log) {
  holds(feed.peek !== undefined, 'the feed has no peek')
  return feed.peek()
}

export const peekCases: readonly FeedCase[] = [
  {
    rule: 'peek.head',
    title: 'returns the current head synchronously, regardless of which instance moved it',
    needs: ['peek'],
    across: 'also',
    async run({ log, other, make }) {
      sameHead(peek(log), null, 'the head without a log')
      let { next } = await filled(other, make, 3)
      for (let round = 0; round < 5; round++) {
        sameHead(peek(log), next, 'the peeked head')
        next = await other.grow(next, make.draft(next, small(1)))
      }
      if (other.feed.trim !== undefined) {
        await other.trim(2)
        sameHead(peek(log), { ...next, floor: 3 }, 'the head after a trim')
      }
    },
  },
]
