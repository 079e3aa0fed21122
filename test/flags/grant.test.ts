import { expect, test } from 'vitest'
import { wantedGrant } from '../../src/flags/grant.ts'
import { failure } from '../app/failure.ts'

const ARGS = { namespace: 'team', repository: 'app' }
const NONE = {
  'allow-gateway-forward': false,
  exact: false,
  'read-only': false,
  inject: false,
  'merge-sidecar': false,
}

test('a developer is granted like a builder, and may get the right to forward', () => {
  const flags = { ...NONE, developer: 'user:ada', 'allow-gateway-forward': true, exact: true }
  expect(wantedGrant(ARGS, flags)).toMatchObject({
    wanted: { ...ARGS, exact: true, readOnly: false, developer: 'user:ada' },
    forward: true,
  })
})

test.each([{ pods: 'a=b' }, { inject: true }, { 'merge-sidecar': true }])('%o is for builders', (flag) => {
  expect(() => wantedGrant(ARGS, { ...NONE, ...flag, developer: 'user:ada' })).toThrow(
    failure('BOTH_FLAGS', 2, `--${Object.keys(flag)[0]} is for workloads`),
  )
  expect(wantedGrant(ARGS, { ...NONE, ...flag }).wanted).toEqual({ ...ARGS, exact: false, readOnly: false })
})

test('the right to forward is for developers', () => {
  expect(() => wantedGrant(ARGS, { ...NONE, 'allow-gateway-forward': true })).toThrow(failure('BOTH_FLAGS', 2))
})
