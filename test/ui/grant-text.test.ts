import { expect, test } from 'vitest'
import { granteeText, grantText } from '../../src/ui/grant-text.ts'
import { grantFrom } from '../domain/at.ts'

const text = (grant: string, changed = true, addedLabels = {}) =>
  grantText({ grant: grantFrom(grant), policy: 'p', changed, addedLabels, warnings: [], provenIn: 1 })

test('a builder is told what was done to the namespace', () => {
  expect(text('ci team', true, { 'istio-injection': 'enabled' })).toBe(
    'Labelled namespace ci with istio-injection=enabled; the last revoke takes it off.\nEvery service account of ci may push to team and all below it.',
  )
  expect(text('ci/pusher team exact read', false)).toBe('pusher of ci may pull team (nothing to change).')
})

test('a developer is told what to run', () => {
  expect(text('team/dev app user:ada')).toBe(
    'user:ada may push to app and all below it.\nOn the workstation: regctl dev-forward --mode mesh --identity team/dev',
  )
})

test.each([
  ['ci team', 'every one'],
  ['ci/pusher team', 'pusher'],
  ['team/dev app group:a', 'dev (group:a)'],
])('%s is for %s', (grant, who) => expect(granteeText(grantFrom(grant))).toBe(who))
