/**
 * A section of the reference page.
 *
 * @module
 */

/** A table of the members of one declaration. */
export interface Section {
  readonly title: string
  readonly intro?: string
  readonly file: string
  /** The interface, class, union or constant whose members are listed. */
  readonly symbol: string
  /** Whether the members have defaults worth a column. */
  readonly defaults?: boolean
  /** Put before each name, such as `keys.`. */
  readonly prefix?: string
}
