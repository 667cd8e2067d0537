/**
 * The history of a worker: one line for each acknowledged act, appended before the next act begins, so that a killed
 * process leaves a complete history.
 */
import { appendFileSync, readFileSync } from 'node:fs'

/** One acknowledged act. Acts with an unknown outcome are not recorded. */
export type Act =
  | { readonly act: 'issued'; readonly id: string; readonly subject: string }
  | { readonly act: 'rotated'; readonly from: string; readonly to: string }
  | {
      readonly act: 'revoked'
      readonly kind: 'token' | 'family' | 'subject'
      readonly value: string
    }
  | { readonly act: 'refused'; readonly code: string }
  | { readonly act: 'failed'; readonly code: string }

/** Appends one act to a worker's history. */
export function write(file: string, act: Act): void {
  appendFileSync(file, `${JSON.stringify(act)}\n`)
}

/** Reads a worker's history. An incomplete last line was not acknowledged and is skipped. */
export function read(file: string): Act[] {
  const acts: Act[] = []
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    try {
      if (line !== '') acts.push(JSON.parse(line) as Act)
    } catch {
      // Only the last line can be incomplete.
    }
  }
  return acts
}
