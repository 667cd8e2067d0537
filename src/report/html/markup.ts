/**
 * Markup from templates that escape every value.
 *
 * @module
 */

/** Markup that is safe to insert as it is. Only {@link html} makes it. */
export class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

type Value = Markup | readonly Markup[] | string | number

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// Control characters are shown as a replacement: U+0000 is not allowed in HTML, and marks of direction would let a
// subject change how the text around it reads.
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

function escaped(value: string | number): string {
  return String(value)
    .toWellFormed()
    .replace(CONTROL, '\ufffd')
    .replace(/[&<>"']/g, (char) => ENTITIES[char] as string)
}

const textOf = (value: Value): string => {
  if (value instanceof Markup) return value.toString()
  return typeof value === 'object' ? value.map(String).join('') : escaped(value)
}

/** Markup with escaped values, in text and in quoted attributes. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + textOf(values[i - 1] as Value) + part))
}

/** No markup. */
export const NOTHING = new Markup('')
