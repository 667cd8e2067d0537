/**
 * Checks at import time that the library supports this version of Node.js.
 *
 * @module
 */
import zlib from 'node:zlib'

// Checked by features, because Bun and Deno have their own versions.
const isSupported = typeof zlib.crc32 === 'function' && typeof ''.isWellFormed === 'function'

if (!isSupported) {
  throw new Error(
    `watchword requires Node.js 20.19 or later, but this is Node.js ${process.versions.node}: update Node.js`,
  )
}

/** A CRC-32 of the text. */
export const crc32: (text: string) => number = zlib.crc32
