import { describe, expect, test } from 'vitest'
import { formActionFor } from '../../../src/http/pages/form-action.ts'

describe('the form-action of a page that leads to a redirect', () => {
  test.each([
    ['https://app.example.com/cb?x=1', ['https:']],
    ['http://127.0.0.1:51004/cb', ['https:', 'http://127.0.0.1:*', 'http://localhost:*']],
    ['http://localhost:3000/cb', ['https:', 'http://127.0.0.1:*', 'http://localhost:*']],
    ['http://[::1]:3000/cb', ['https:', 'http://127.0.0.1:*', 'http://localhost:*', 'http:']],
    ['com.example.app:/cb', ['https:', 'com.example.app:']],
  ])('of %s lets the whole way on', (redirect, sources) => expect(formActionFor(redirect)).toEqual(sources))

  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://a.example/x',
    'file:///etc/passwd',
    'myapp:/cb',
    'not a url',
    '',
    "http://a;script-src'unsafe-inline'.example/",
    'http://a,b.example/',
    "com.example;script-src 'unsafe-inline':/cb",
    'http://10.0.0.1/cb',
  ])('of %s adds nothing', (redirect) => expect(formActionFor(redirect)).toEqual([]))

  test('never ends its directive, whatever a client registers', () => {
    const pieces = ["'", ';', ',', ' ', '\t', '*', '%3b', '@', '/', '\\', '\u202e', 'é', '.', ':', '80']
    for (const one of pieces) {
      for (const two of pieces) {
        for (const text of [
          `https://a${one}${two}b.example/`,
          `http://a${one}b${two}.example/`,
          `com.a${one}${two}b:/x`,
          `http://localhost${one}${two}/`,
        ]) {
          for (const source of formActionFor(text)) expect([text, source]).toEqual([text, expect.stringMatching(/^[a-z0-9.+:/*-]+$/)])
        }
      }
    }
  })
})
