/**
 * Frozen: how a process with version 3 of the schema writes the details of tokens and purges. Never adapt it to newer
 * columns.
 *
 * @module
 */

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/** The statement that sets the details of a token. */
export function detailsOf(id: string, owner: string, tag: string): string {
  return `UPDATE watchword_tokens SET label = NULL, owner = ${literal(owner)}, purpose = NULL, details_tag = ${literal(tag)} WHERE id = ${literal(id)} AND COALESCE(details_tag, '') = ''`
}

/** The statement that lists the newest tokens of an owner. */
export function listOf(owner: string): string {
  return `SELECT id, subject, label, owner, purpose, hint, details_tag FROM watchword_tokens WHERE owner = ${literal(owner)} ORDER BY id DESC LIMIT 10`
}

/** The statement that removes expired tokens. */
export function purgeOf(until: number): string {
  return `DELETE FROM watchword_tokens WHERE expires_at <= ${until}`
}
