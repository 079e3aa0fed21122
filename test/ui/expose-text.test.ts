import { expect, test } from 'vitest'
import type { Exposure } from '../../src/domain/policy/exposure.ts'
import { exposeText } from '../../src/ui/expose-text.ts'

const said = (exposure: Partial<Exposure>, addresses: readonly string[] = [], changed = true) =>
  exposeText({
    exposure: { host: 'r.example', repositories: [], way: 'secret', secret: 'web', principals: [], ...exposure },
    changed,
    addresses,
    provenIn: 1,
  })

test('who may pull what, and where the name has to point', () => {
  expect(said({ repositories: ['shop/app', 'docs/*'] }, ['192.0.2.1:443'])).toBe(
    'Everybody who reaches r.example may pull shop/app, docs/*.\nPoint the name r.example at 192.0.2.1:443.',
  )
  expect(said({}, [], false)).toBe(
    'Everybody who reaches r.example may pull every repository (nothing to change).\nThe gateway has no address of its own yet: regctl status',
  )
})

test('by a gateway of somebody else, the name is there already', () => {
  expect(said({ way: 'shared', gateway: 'front/main' })).toBe(
    'Everybody who reaches r.example may pull every repository.\nGateway front/main answers to it.',
  )
})

test('by the mesh, who cannot use it', () => {
  const text = said({ way: 'istio' }, ['192.0.2.1:443'])
  expect(text).toContain("Whoever has a developer's grant reaches the registry as r.example")
  expect(text).toContain('docker and browsers cannot use it')
})
