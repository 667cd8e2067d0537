/**
 * Error messages for options and fields that are present and `undefined`, such as a misspelt constant: always an error.
 *
 * @module
 */

/** The message for such a field. */
export const EXPLICIT_UNDEFINED = 'it is undefined: set a value, or leave the field out'

/** The message for a required one. */
export const REQUIRED_UNDEFINED = 'it is undefined: set a value, it is required'
