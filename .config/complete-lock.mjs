// Adds to package-lock.json the optional binaries of other platforms that npm left out because the registry it was run
// against does not carry them. `npm ci` refuses a lock that lacks one, on every platform. Run it after each `npm install`
// that changed the lock: `npm run lock`.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))

const OS = /(?:^|[-/])(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-/
const CPU = /-(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)(?:-|$)/

/** The lock entry of a binary that could not be looked up: by these fields, npm skips it on other platforms. */
function entryOf(name, version) {
  const os = OS.exec(name)?.[1]
  const cpu = CPU.exec(name)?.[1]
  if (!os || !cpu || !/^\d/.test(version)) return undefined
  const libc = /-(?:\w*musl\w*)$/.test(name) ? ['musl'] : /-gnu\w*$/.test(name) ? ['glibc'] : []
  const where = os === 'linux' && libc.length > 0 ? { libc } : {}
  return { version, cpu: [cpu], dev: true, ...where, optional: true, os: [os] }
}

for (const { optionalDependencies = {} } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`
    const entry = lock.packages[key] ? undefined : entryOf(name, version)
    if (!entry) continue
    lock.packages[key] = entry
    console.log(`added ${name}@${version}`)
  }
}

// The order in which npm itself writes, so that neither undoes the other's work.
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
)
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
