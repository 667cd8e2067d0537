// Two formats are written by two tsup passes: if either cleaned the folder, it could delete the other's output.
import { rmSync } from 'node:fs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
