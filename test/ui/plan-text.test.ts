import { expect, test } from 'vitest'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { refOf } from '../../src/domain/kube-object.ts'
import { changeOf } from '../../src/domain/plan.ts'
import { planText } from '../../src/ui/plan-text.ts'

const config = (data: Readonly<Record<string, string>>, name = 'x'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'n' },
  data,
})
const change = (before: KubeObject | undefined, after: KubeObject) => changeOf(refOf(after), before, after)

test('nothing to change is an empty text', () => {
  const same = config({ a: '1' })
  expect(planText([change(same, same)], [])).toBe('')
  expect(planText([], [])).toBe('')
})

test('a change is a unified diff of the object’s YAML', () => {
  expect(planText([change(config({ a: '1', b: '2' }), config({ a: '1', b: '3' }))], [])).toBe(
    [
      '--- ConfigMap n/x',
      '+++ ConfigMap n/x',
      '@@ -5,4 +5,4 @@',
      '   namespace: n',
      ' data:',
      '   a: "1"',
      '-  b: "2"',
      '+  b: "3"',
      '',
    ].join('\n'),
  )
})

test('what is new comes from nowhere, what goes goes there, the rest is left out', () => {
  const same = config({ a: '1' }, 'same')
  const text = planText([change(same, same), change(undefined, config({}, 'new'))], [config({ b: '1' }, 'old')])
  expect(text.split('\n').filter((line) => /^(---|\+\+\+) /.test(line))).toEqual([
    '--- /dev/null',
    '+++ ConfigMap n/new',
    '--- ConfigMap n/old',
    '+++ /dev/null',
  ])
  expect(text).toContain('\n-  b: "1"\n')
  expect(text).toContain('\n+  name: new\n')
})
