/**
 * Error messages for options and fields that are present but `undefined`, such as from a misspelt constant. This is
 * always an error.
 *
 * @module
 */

/** The message for an optional field. */
export const EXPLICIT_UNDEFINED = 'it is undefined: set a value, or leave the field out'

/** The message for a required field. */
export const REQUIRED_UNDEFINED = 'it is undefined: set a value, it is required'
