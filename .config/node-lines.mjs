// Runs the suites that need no server on the other supported lines of Node, which npx fetches: `node .config/node-lines.mjs`,
// or with the lines as arguments. A line that cannot be fetched is skipped with a message. The suites run on the build
// in `dist`, with a tenth of the runs of the longest properties, because the current line runs all of them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const given = process.argv.slice(2)
const lines = given.length > 0 ? given : ['22', '24', '26']
/** The groups of `.config/vitest.config.ts` that differ between lines of Node and need no server. */
const GROUPS = [
  'unit',
  'alone',
  'property',
  'contract',
  'http',
  'full:http',
  'package',
  'full:programs',
]
const results = process.env.WATCHWORD_TEST_RESULTS

/** Runs Node of a line with arguments, through npx. */
function onLine(line, args, options = {}) {
  return spawnSync('npx', ['-y', '-p', `node@${line}`, 'node', ...args], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    ...options,
  })
}

for (const line of lines) {
  const { stdout, status } = onLine(line, ['--version'])
  if (status !== 0 || !stdout.startsWith(`v${line}.`)) {
    console.warn(`Node ${line} cannot be fetched: its tests are skipped`)
    continue
  }
  console.log(`Node ${stdout.trim()}`)
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', '.config/vitest.config.ts']
  const { status: failed } = onLine(
    line,
    [...args, ...GROUPS.flatMap((group) => ['--project', group])],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        WATCHWORD_PROPERTY_RUNS: '0.1',
        ...(results && {
          WATCHWORD_TEST_RESULTS: results.replace(/\.json$/, `-node-${line}.json`),
        }),
      },
    },
  )
  if (failed !== 0) process.exitCode = 1
}
