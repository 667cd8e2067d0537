/**
 * The replacements for these globals in the built files: environments such as Jest's jsdom do not define them.
 *
 * @module
 */
export { TextDecoder, TextEncoder } from 'node:util'
