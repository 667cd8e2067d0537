import { describe, expect, it } from 'vitest'
import { agrees, bodyOf, columnsOf, eventOf } from '../../../../src/observe/audit/event.js'
import type { AuditEvent } from '../../../../src/observe/channels.js'
import { ISSUER, START } from '../../../support/harness.js'

const EVENT: AuditEvent = { v: 1, at: START, issuer: ISSUER, action: 'revoked', actor: 'ops' }

/** An event with a field that is present, but `undefined`. */
const withUndefined = (field: string) => ({ ...EVENT, [field]: undefined }) as AuditEvent

describe('the body of a row of the audit', () => {
  it('has the fields in alphabetical order, lists included, and none that is undefined', () => {
    const lostScopes = ['orders:read', 'stock:"read"']
    const event = { ...withUndefined('reason'), lostScopes }
    const body = bodyOf('row-1', event)
    expect(body).toBe(
      `{"action":"revoked","actor":"ops","at":${START},"issuer":"${ISSUER}","lostScopes":["orders:read","stock:\\"read\\""],"row":"row-1","v":1}`,
    )
    expect(eventOf('row-1', body)).toEqual({ ...EVENT, lostScopes })
  })

  it('is read only if it is canonical and belongs to the row', () => {
    const body = bodyOf('row-1', EVENT)
    expect(eventOf('row-1', body)).toEqual(EVENT)
    for (const text of [body.replace('{', '{ '), '{', 'null'])
      expect(eventOf('row-1', text)).toBeUndefined()
    expect(eventOf('row-2', body)).toBeUndefined()
  })
})

describe('the columns of a row of the audit', () => {
  it('have nothing for fields that are absent or undefined', () => {
    const none = { subject: null, token: null, family: null }
    expect(columnsOf(EVENT)).toMatchObject(none)
    for (const field of ['target', 'id', 'subject', 'family'])
      expect(columnsOf(withUndefined(field))).toMatchObject(none)
  })

  it.each([
    [undefined, { subject: null, token: 'x', family: null }],
    ['token', { subject: null, token: 'x', family: null }],
    ['family', { subject: null, token: null, family: 'x' }],
    ['subject', { subject: 'x', token: null, family: null }],
    ['key', { subject: null, token: null, family: null }],
  ])('name what an event with the target %s concerns', (target, expected) => {
    const event = { ...EVENT, id: 'x', ...(target === undefined ? {} : { target }) }
    const columns = columnsOf(event)
    expect(columns).toMatchObject(expected)
    const row = { id: 'row-1', body: '', tag: '', ...columns }
    expect(agrees(row, event)).toBe(true)
    expect(agrees({ ...row, actor: 'another' }, event)).toBe(false)
  })
})
