/**
 * The check that this Node.js is one that the library runs on, made when a module of it is imported.
 *
 * @module
 */
import zlib from 'node:zlib'

// By its features: Bun and Deno give versions of their own.
const isSupported = typeof zlib.crc32 === 'function' && typeof ''.isWellFormed === 'function'

if (!isSupported) {
  throw new Error(
    `watchword needs Node.js 20.19 or later, and this is Node.js ${process.versions.node}: update Node.js`,
  )
}

/** A CRC-32 of the text. */
export const crc32: (text: string) => number = zlib.crc32
