import { expect, test } from 'vitest'
import { buildNamespaces, contextFirst, MUTATION_APIS } from '../../../src/domain/stack/context-first.ts'
import { at, grantFrom } from '../at.ts'

const owner = { apiVersion: 'v1', kind: 'Namespace', name: 'ci', uid: 'uid-1' }
const [policy, binding] = contextFirst(at, 'ci', MUTATION_APIS[1], owner)

type Spec = {
  readonly matchConstraints: Readonly<Record<string, unknown>>
  readonly mutations: readonly { readonly jsonPatch: { readonly expression: string } }[]
}
const spec = policy?.spec as Spec

/** The few words of CEL the expression has, as JavaScript. */
function orderOf(names: readonly string[] | undefined): readonly string[] | undefined {
  const expression = (spec.mutations[0]?.jsonPatch.expression ?? '')
    .replaceAll(/has\(([\w.]+)\)/g, '($1 !== undefined)')
    .replaceAll('JSONPatch{', '{')
    .replaceAll(/\.filter\(c, /g, '.filter((c) => ')
    .replace(/value: (.*?\)) \+ (.*?\))\}/, 'value: [...$1, ...$2]}')
  const initContainers = names?.map((name) => ({ name }))
  const [patch, ...more] = new Function('object', `return ${expression}`)({ spec: { initContainers } }) as {
    op: string
    path: string
    value: { name: string }[]
  }[]
  expect(more).toEqual([])
  if (patch === undefined) return undefined
  expect([patch.op, patch.path]).toEqual(['replace', '/spec/initContainers'])
  return patch.value.map(({ name }) => name)
}

test.each([
  [undefined, undefined],
  [['a'], ['a']],
  [['kaniko-init-container'], ['kaniko-init-container']],
  [
    ['istio-init', 'istio-proxy', 'kaniko-init-container', 'other'],
    ['kaniko-init-container', 'istio-init', 'istio-proxy', 'other'],
  ],
])('init containers %j become %j', (given, expected) => expect(orderOf(given)).toEqual(expected))

test("it sees Skaffold's pods of the one namespace, and goes with it", () => {
  expect(spec.matchConstraints).toMatchObject({
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ci' } },
    objectSelector: { matchLabels: { 'skaffold-kaniko': 'skaffold-kaniko' } },
  })
  expect(binding?.spec).toEqual({ policyName: policy?.metadata.name })
  for (const object of [policy, binding]) {
    expect(object?.apiVersion).toBe('admissionregistration.k8s.io/v1beta1')
    expect(object?.metadata.ownerReferences).toEqual([owner])
    expect(object?.metadata.labels).toMatchObject({
      'regctl.dev/installation': 'kube-registry',
      'regctl.dev/grant': 'ci',
    })
  }
})

test('only who may push builds', () => {
  expect(
    buildNamespaces([grantFrom('ci a'), grantFrom('ci b'), grantFrom('audit a read'), grantFrom('dev/ada a user:ada')]),
  ).toEqual(['ci'])
})
