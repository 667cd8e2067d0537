import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
/** Results, and the records of the runs. */
export const folder = `${root}.cache/mutation`
