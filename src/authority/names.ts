/**
 * The configured names of an authority as types: a misspelt literal does not compile.
 *
 * @module
 */

/** The names of the policies, audiences and scopes of an authority. */
export interface KnownNames {
  readonly policy: string
  readonly audience: string
  readonly scope: string
}

/**
 * A name argument: a literal must be a known name, a variable of type `string` may be any. `Given` is inferred from the
 * first branch, and the compiler's error for another literal lists the known names.
 */
export type NameOf<Given extends string, Known extends string> = string extends Given
  ? Given
  : Known

/** The scopes that a wildcard covers: `orders:*` covers `orders:${string}`. */
type Covered<Scope extends string> = Scope extends `${infer Head}*${infer Tail}`
  ? `${Head}${string}${Covered<Tail>}`
  : Scope

/** The names in the options of an authority. */
export interface NamesOf<
  Policies extends Readonly<Record<string, { readonly scopes: readonly string[] }>>,
  Audience extends string | readonly string[],
> extends KnownNames {
  readonly policy: keyof Policies & string
  readonly audience: Audience extends readonly string[] ? Audience[number] : Audience & string
  readonly scope: Covered<Policies[keyof Policies]['scopes'][number]>
}
