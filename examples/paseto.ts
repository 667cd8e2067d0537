// How do I seal and open PASETO v4.local on its own, without an authority?
import assert from 'node:assert/strict'
import * as paseto from 'watchword/paseto'

await paseto.ready // libsodium is loaded and has passed its known-answer tests
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const key = paseto.generateKey()
const token = paseto.seal(key, encoder.encode('{"sub":"svc_mail"}'), {
  footer: encoder.encode(JSON.stringify({ kid: paseto.keyId(key) })),
  implicitAssertion: encoder.encode('mail-api'), // authenticated with the token, but not contained in it
})
console.log(`${token.slice(0, 40)}… (${token.length} characters)`)

const opened = paseto.open(key, token, { implicitAssertion: encoder.encode('mail-api') })
assert.ok(opened)
assert.equal(decoder.decode(opened.payload), '{"sub":"svc_mail"}')
console.log('opened', decoder.decode(opened.payload), decoder.decode(opened.footer))

// Returns `undefined` for a token that is not authentic, for any reason. Check expiry and claims yourself.
assert.equal(paseto.open(key, token), undefined)
assert.equal(paseto.open(paseto.generateKey(), token), undefined)
console.log('with another assertion or another key: undefined')

// Keys as text, and keys wrapped by keys.
const text = paseto.exportKey(key) // 'k4.local.…': a secret
assert.equal(paseto.keyId(paseto.importKey(text)), paseto.keyId(key))
const root = paseto.generateKey()
const wrapped = paseto.wrapKey(root, key) // 'k4.local-wrap.pie.…': safe to store in a database
assert.equal(paseto.exportKey(paseto.unwrapKey(root, wrapped)), text)
assert.ok(!String(key).includes(text.slice(9)))
console.log(`wrapped ${wrapped.slice(0, 30)}…`)
console.log(`printed ${key}`)
