/** What the compiler says about a misspelt name: it must list the names that the options have. */
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
const PROGRAM = `
import { createWatchword } from '../../src/index.js'
const watchword = await createWatchword({
  issuer: 'acme',
  audience: ['orders', 'stock'],
  policies: { service: { ttl: '30d', scopes: ['orders:*', 'stock:read'] }, session: { ttl: '1h', scopes: [] } },
})
const base = { subject: 'svc', actor: 'ops' } as const
await watchword.issue({ ...base, policy: 'servce', audience: 'stock', scopes: ['stock:read'] })
await watchword.issue({ ...base, policy: 'service', audience: 'stocks', scopes: ['stock:read'] })
await watchword.issue({ ...base, policy: 'service', audience: 'stock', scopes: ['stock:read', 'ordres:read'] })
`

/** The errors in a program of this folder, each with the field that it is about. */
function errorsIn(text: string): readonly string[] {
  const { config } = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const path = `${root}/test/types/program-in-memory.ts`
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === path || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === path
      ? ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true)
      : getSourceFile(name, ...rest)
  const program = ts.createProgram([path], { ...options, noEmit: true }, host)
  return program
    .getSemanticDiagnostics(program.getSourceFile(path))
    .map(({ start = 0, messageText }) => {
      const place = text.slice(start).split(/[:,\]]/)[0]
      return `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

it('lists the known policies, audiences and scopes for a misspelt one, and names no other field', () => {
  expect(errorsIn(PROGRAM)).toEqual([
    `policy: Type '"servce"' is not assignable to type '"service" | "session"'. Did you mean '"service"'?`,
    `audience: Type '"stocks"' is not assignable to type '"orders" | "stock"'. Did you mean '"stock"'?`,
    `'ordres: Type '"ordres:read"' is not assignable to type '"stock:read" | \`orders:\${string}\`'.`,
  ])
})
