import { expect, test } from 'vitest'
import {
  NO_TENANTS,
  type Tenants,
  tenantsObject,
  tenantsOf,
  withoutTenant,
} from '../../../src/domain/tenant/tenants.ts'
import { at } from '../at.ts'

const STATE: Tenants = {
  tenants: [
    { namespace: 'a', uid: 'u-a', private: true, granted: null },
    { namespace: 'b', uid: 'u-b', private: false, granted: 'pusher.x' },
    { namespace: 'c', uid: 'u-c', private: true },
  ],
  shares: [
    { repository: 'a/base', namespace: 'b', uid: 'u-b' },
    { repository: 'a/other/x', namespace: 'b', uid: 'u-b' },
    { repository: 'c', namespace: 'a', uid: 'u-a' },
  ],
  addresses: ['10.96.0.9', '[fd00::9]'],
  exempt: ['monitoring'],
}

test('what is written is read back', () => expect(tenantsOf(tenantsObject(at, STATE))).toEqual(STATE))

test('nothing is written as nothing', () => {
  expect(tenantsOf(undefined)).toEqual(NO_TENANTS)
  expect(tenantsOf(tenantsObject(at, NO_TENANTS))).toEqual(NO_TENANTS)
})

test('admission finds what it looks for under these keys', () => {
  expect(tenantsObject(at, STATE).data).toEqual({
    _addresses: '10.96.0.9 [fd00::9]',
    _exempt: 'monitoring',
    a: 'private u-a granted=*',
    'a.b': 'u-b a/base a/other/x',
    b: 'public u-b granted=pusher.x',
    c: 'private u-c',
    'c.a': 'u-a c',
  })
})

test('what somebody else wrote there is no tenant', () => {
  const object = { ...tenantsObject(at, NO_TENANTS), data: { a: 'secret', b: '', c: 'private' } }
  expect(tenantsOf(object).tenants).toEqual([])
})

test('with a tenant go its shares, and what others share with it stays', () => {
  const left = withoutTenant(STATE, 'a')
  expect(left.tenants.map(({ namespace }) => namespace)).toEqual(['b', 'c'])
  expect(left.shares).toEqual([{ repository: 'c', namespace: 'a', uid: 'u-a' }])
})
