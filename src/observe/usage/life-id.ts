/**
 * The ids of usage lives: ULIDs that show which member of the feed they belong to.
 *
 * The random part starts with 70 bits of the member's own random id. The last character says whether the process stops
 * accepting tokens when it loses the feed: only then does the end of its membership show that it has stopped.
 *
 * @module
 */
import { encodeTime } from 'ulid'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_LENGTH = 10
const MEMBER_LENGTH = 14
const STOPS = '1'
const CONTINUES = '0'

/** The part of a life that names a member of the feed. `member`: at least 9 random bytes as base64url. */
function memberPartOf(member: string): string {
  let bits = BigInt(`0x${Buffer.from(member, 'base64url').subarray(0, 9).toString('hex')}`)
  let text = ''
  for (let i = 0; i < MEMBER_LENGTH; i++) {
    text += ALPHABET[Number(bits & 31n)]
    bits >>= 5n
  }
  return text
}

/** Creates the ids of the lives of one process. */
export function lifeMaker(member: string, stopsWithFeed: boolean): (at: number) => string {
  const part = memberPartOf(member)
  let count = 0
  // Two lives may begin in the same millisecond after a step back.
  return (at) => {
    const number = ALPHABET[count++ % ALPHABET.length] as string
    return encodeTime(at, TIME_LENGTH) + part + number + (stopsWithFeed ? STOPS : CONTINUES)
  }
}

/** Whether the process of this life stops accepting tokens when it loses the feed. */
export const stopsWithFeed = (life: string): boolean => life.endsWith(STOPS)

/** Whether this is a life of the member. */
export function isLifeOf(life: string, member: string): boolean {
  return life.slice(TIME_LENGTH, TIME_LENGTH + MEMBER_LENGTH) === memberPartOf(member)
}
