import { expect, test } from 'vitest'
import { askedExposure } from '../../src/flags/expose.ts'

test('what is not given is left out', () => {
  expect(askedExposure(['registry.example'], {})).toEqual({ host: 'registry.example', repositories: [] })
  expect(
    askedExposure(['registry.example', 'shop/app', 'docs/*'], { tls: 'web', gateway: 'front/main', type: 'NodePort' }),
  ).toEqual({
    host: 'registry.example',
    repositories: ['shop/app', 'docs/*'],
    tls: 'web',
    gateway: 'front/main',
    type: 'NodePort',
  })
})

test.each([
  ['INVALID_REPOSITORY', ['Shop'], {}],
  ['INVALID_REPOSITORY', ['shop', ''], {}],
  ['INVALID_SECRET', [], { tls: 'Not A Name' }],
  ['INVALID_SECRET', [], { tls: '' }],
  ['INVALID_GATEWAY', [], { gateway: 'main' }],
  ['INVALID_GATEWAY', [], { gateway: 'front/main/more' }],
  ['INVALID_GATEWAY', [], { gateway: 'Front/main' }],
  ['INVALID_GATEWAY', [], { gateway: '/' }],
])('%s: %j %j', (code, repositories, flags) => {
  const ask = () => askedExposure(['registry.example', ...repositories], flags)
  expect(ask).toThrow(expect.objectContaining({ code, oclif: { exit: 2 } }))
})
