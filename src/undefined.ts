/**
 * What is said of options and fields that are there and are `undefined`, as a misspelt constant is: an error everywhere.
 *
 * @module
 */

/** What a message says of such a field. */
export const EXPLICIT_UNDEFINED = 'it is undefined: set a value, or leave the field out'
