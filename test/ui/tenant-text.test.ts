import { expect, test } from 'vitest'
import { addText, listText, removeText, shareText } from '../../src/ui/tenant-text.ts'

const tenant = { namespace: 'a', uid: 'u', private: true, granted: null }
const share = { repository: 'a/base', namespace: 'b', uid: 'v' }

test('a list says who pushes, what is shared, and from whom nothing is private', () => {
  const tenants = [tenant, { namespace: 'bb', uid: 'w', private: false, granted: 'pusher' }]
  expect(listText({ tenants, shares: [share], exempt: ['kube-system', 'x'] })).toBe(
    [
      'TENANT   ACCESS    PUSHED BY   SHARED',
      'a        private   every one   a/base with b',
      'bb       public    pusher',
      '',
      'Nothing is private from pods of: kube-system, x',
    ].join('\n'),
  )
  expect(listText({ tenants: [], shares: [], exempt: [] })).toContain('regctl tenant add NAMESPACE')
})

test('what was added', () => {
  const one = (changed: boolean, own: boolean) =>
    addText({ tenants: [{ namespace: 'a', private: own, changed }], accepted: [], warnings: [], provenIn: 1 })
  expect(one(true, true)).toBe('a and all below it belongs to namespace a, and its own pods alone use it.')
  expect(one(false, false)).toBe(
    'a and all below it belongs to namespace a, and everybody may use it (nothing to change).',
  )
})

test('what was removed, and what that means', () => {
  expect(removeText({ removed: [tenant], none: ['c'], shares: [share], provenIn: 1 })).toBe(
    [
      'c is no tenant (nothing to change).',
      'a is no tenant any more, and everybody may read its images again.',
      'The share of a/base with b ended.',
    ].join('\n'),
  )
})

test('what was shared', () => {
  const result = { repository: 'a/base', namespace: 'b', warnings: [], provenIn: 1 }
  expect(shareText({ ...result, changed: true }, 'is shared with')).toBe('a/base and all below it is shared with b.')
})
