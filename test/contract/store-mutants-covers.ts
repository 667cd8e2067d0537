/**
 * Wrong rules for what a revocation covers.
 *
 * @module
 */
import type { Revocation, TokenRecord } from '../../src/store/store.js'
import { GOOD, type Rules } from './store-mutants-rules.js'

type Covers = (revocation: Revocation, row: TokenRecord) => boolean

/** Marks by another rule. */
export const marking = (covers: Covers): Partial<Rules> => ({ covers })

/** Marks and bars by another rule for one kind. */
export const forKind = (kind: Revocation['kind'], covers: Covers): Partial<Rules> => {
  const changed: Covers = (revocation, row) =>
    revocation.kind === kind ? covers(revocation, row) : GOOD.covers(revocation, row)
  return {
    covers: changed,
    bars: (revocation, predecessor, successor) =>
      changed(revocation, predecessor) ||
      changed(revocation, {
        ...predecessor,
        keyId: successor.keyId,
        generation: successor.generation,
      }),
  }
}

export const onlyBefore: Covers = (revocation, row) =>
  GOOD.covers(revocation, row) && row.familyIssuedAt <= revocation.before

export const strictlyBefore: Covers = (revocation, row) =>
  GOOD.covers(revocation, row) && row.familyIssuedAt < revocation.before

export const whenever: Covers = (revocation, row) =>
  GOOD.covers({ ...revocation, before: Number.POSITIVE_INFINITY }, row)
