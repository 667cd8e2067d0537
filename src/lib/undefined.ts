/**
 * What is said of options and fields that are there and are `undefined`, as a misspelt constant is: an error everywhere.
 *
 * @module
 */

/** What a message says of such a field. */
export const EXPLICIT_UNDEFINED = 'it is undefined: set a value, or leave the field out'

/** What a message says of one that must be there. */
export const REQUIRED_UNDEFINED = 'it is undefined: set a value, it is required'
