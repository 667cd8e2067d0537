/**
 * Ids of one authority: ULIDs of the time that is asked for.
 *
 * @module
 */
import { monotonicFactory } from 'ulid'

/**
 * Makes ULIDs. Those of one millisecond ascend. An id never carries a later time than the one that was asked for: one
 * reading of a clock that was ahead must not make every later id, and every family, look younger than it is.
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
