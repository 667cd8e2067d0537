import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { issueText } from '../../../src/lib/issue-text.js'

const schema = z.strictObject({
  policy: z.string('expected a string'),
  claims: z.optional(z.object({ level: z.number('expected a number') }, 'expected an object')),
})

function textFor(input: unknown): string {
  const parsed = schema.safeParse(input)
  if (parsed.success) throw new Error('the input is valid')
  return issueText(parsed.error.issues, { schema, input, root: 'input', noun: 'field' })
}

describe('the message for an invalid input', () => {
  it('names the field, what is allowed, and the value', () => {
    expect(textFor({ policy: 7 })).toBe('policy: expected a string, got 7')
  })

  it('names an unknown field before the one that is missing', () => {
    expect(textFor({ polcy: 'job' })).toMatch(/^unknown field 'polcy' .*policy/)
  })

  it('states only the type of a value within the claims', () => {
    const message = textFor({ policy: 'job', claims: { level: 'canary' } })
    expect(message).toBe('claims.level: expected a number, got a string of 6 characters')
  })

  it('omits the value of a getter, which would run a second time', () => {
    let reads = 0
    const input = {
      get policy() {
        reads++
        return 7
      },
    }
    expect(textFor(input)).toBe('policy: expected a string')
    expect(reads).toBe(1)
  })

  it('omits a value that is not at the path of the issue in the input', () => {
    const issues = [{ path: ['claims', 'level'], message: 'expected a number' }]
    const checked = { schema, root: 'input', noun: 'field' }
    for (const input of [{ claims: 'text' }, { claims: null }, undefined])
      expect(issueText(issues, { ...checked, input })).toBe('claims.level: expected a number')
  })
})
