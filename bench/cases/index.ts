/**
 * Every case, in the order of the table.
 *
 * @module
 */
import type { Case } from '../results.js'
import { cold } from './cold.js'
import { flood } from './flood.js'
import { hot } from './hot.js'
import { issue } from './issue.js'
import { memory } from './memory.js'
import { observe } from './observe.js'
import { openAlone } from './open.js'
import { reject } from './reject.js'
import { startup } from './startup.js'
import { usage } from './usage.js'
import { watch } from './watch.js'

export const CASES: readonly Case[] = [
  hot,
  observe,
  usage,
  watch,
  cold,
  openAlone,
  reject,
  issue,
  memory,
  flood,
  startup,
]
