import { describe, expect, test } from 'vitest'
import { RememberingRouter } from '../../src/http/router.ts'

const names = ([found]: [[string, unknown][]] | [[string, unknown][], unknown]) => found.map(([name]) => name)

function routes() {
  const router = new RememberingRouter<string>()
  router.add('ALL', '*', 'every')
  router.add('POST', '/keys/rotate', 'rotate')
  router.add('POST', '/keys/:kid/revoke', 'revoke')
  router.add('GET', '/keys', 'list')
  router.add('ALL', '/keys', 'any')
  return router
}

describe('the router', () => {
  test.each(['the first time', 'when it remembers'])('finds what was added, in its order, %s', (time) => {
    const router = routes()
    const find = (method: string, path: string) => {
      if (time === 'when it remembers') router.match(method, path)
      return names(router.match(method, path))
    }
    expect(find('GET', '/keys')).toEqual(['every', 'list', 'any'])
    expect(find('PUT', '/keys')).toEqual(['every', 'any'])
    expect(find('POST', '/keys/rotate')).toEqual(['every', 'rotate'])
    expect(find('POST', '/keys/rotate/revoke')).toEqual(['every', 'revoke'])
    expect(find('GET', '/nowhere')).toEqual(['every'])
  })

  test('gives each parameter its own value', () => {
    const router = routes()
    const kid = (path: string) => router.match('POST', path)[0].at(-1)?.[1]
    expect(kid('/keys/one/revoke')).toEqual({ kid: 'one' })
    expect(kid('/keys/two/revoke')).toEqual({ kid: 'two' })
  })

  test('finds what is added after it was asked', () => {
    const router = routes()
    router.match('GET', '/keys')
    router.add('GET', '/keys', 'late')
    expect(names(router.match('GET', '/keys'))).toEqual(['every', 'list', 'any', 'late'])
  })

  test('remembers the written paths under known methods only', () => {
    const router = routes()
    const isRemembered = (method: string, path: string) => {
      const first = router.match(method, path)
      return router.match(method, path) === first
    }
    expect(isRemembered('GET', '/keys')).toBe(true)
    expect(isRemembered('WHATEVER', '/keys')).toBe(false)
    expect(isRemembered('GET', '/keys/one')).toBe(false)
    expect(isRemembered('POST', '/keys/one/revoke')).toBe(false)
  })
})
