/**
 * All contenders.
 *
 * @module
 */
import type { Contender, Framework } from '../kit.js'
import { EXPRESS } from './express.js'
import { FASTIFY } from './fastify.js'
import { KOA } from './koa.js'

/** The contenders of each framework, in the order of the table. */
export const CONTENDERS: Readonly<Record<Framework, readonly Contender[]>> = {
  express: EXPRESS,
  koa: KOA,
  fastify: FASTIFY,
}
