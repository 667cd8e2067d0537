// Runs npm scripts at the same time: `node .config/at-once.mjs build lint`. The output of each is printed in one
// piece when it ends. Fails if any of them fails, after all have ended.
import { spawn } from 'node:child_process'

const scripts = process.argv.slice(2)
if (scripts.length === 0) throw new TypeError('name the scripts to run, such as build lint')

/** Runs one script and resolves with its exit code. */
function run(script) {
  return new Promise((resolve, reject) => {
    // npm is a command file on Windows, which only a shell can start; the names come from package.json.
    const child = spawn(`npm run --silent ${script}`, {
      shell: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text
      })
    }
    child.once('error', reject)
    child.once('close', (code) => {
      console.log(code === 0 ? `${script}: ok` : `${printed}\n${script}: failed`)
      resolve(code ?? 1)
    })
  })
}

const codes = await Promise.all(scripts.map(run))
process.exitCode = codes.every((code) => code === 0) ? 0 : 1
