/**
 * Ids of one authority: ULIDs for a given time.
 *
 * @module
 */
import { monotonicFactory } from 'ulid'

/**
 * Creates ULIDs, ascending within one millisecond. An id never carries a later time than the given one: after one
 * reading of a clock that was ahead, every later id and family would otherwise look younger than it is.
 */
export function idMaker(): (time: number) => string {
  let make = monotonicFactory()
  let last = 0
  return (time) => {
    if (time < last) make = monotonicFactory()
    last = time
    return make(time)
  }
}
