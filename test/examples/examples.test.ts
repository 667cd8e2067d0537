import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
// Two are there to be imported: use-custom-store.ts and use-custom-feed.ts run them, and the contracts hold them to account.
const files = readdirSync(`${root}/examples`).filter(
  (name) => name.endsWith('.ts') && !name.startsWith('custom-store') && name !== 'custom-feed.ts',
)

describe('the examples', () => {
  it('are there', () => {
    expect(files).toEqual(expect.arrayContaining(['demo.ts', 'quickstart.ts']))
  })

  it.each(files)('%s runs, and shows something', async (name) => {
    // Rejects when the exit code is not 0, with what was printed to standard error in the message.
    const { stdout } = await run(process.execPath, ['.config/run.mjs', `examples/${name}`], {
      cwd: root,
    })
    expect(stdout.trim()).not.toBe('')
    // No terminal, no colours.
    expect(stdout).not.toContain('\u001b[')
    if (name !== 'demo.ts') return
    // The demo is to be read at a glance, on one screen.
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(40)
    expect(lines.filter((line) => line.length > 100)).toEqual([])
  })
})
