import { describe, expect, test } from 'vitest'
import { hostPortPolicy } from '../../../src/domain/stack/admission.ts'
import { at } from '../at.ts'

type Policy = {
  readonly failurePolicy: string
  readonly matchConstraints: Readonly<Record<string, unknown>>
  readonly validations: readonly { readonly expression: string; readonly message: string }[]
}

const [policy, binding] = hostPortPolicy({ ...at, port: 5001 })
const spec = policy?.spec as Policy

/** The few words of CEL the expression has, as JavaScript. */
function admits(podSpec: unknown): boolean {
  const expression = (spec.validations[0]?.expression ?? '')
    .replaceAll(/has\(([\w.]+)\)/g, '($1 !== undefined)')
    .replaceAll(/\.all\((\w+), /g, '.every(($1) => ')
  return new Function('object', `return ${expression}`)({ spec: podSpec }) as boolean
}

const container = (...ports: readonly (number | undefined)[]) => ({
  name: 'c',
  ports: ports.map((hostPort) => ({ containerPort: 80, ...(hostPort === undefined ? {} : { hostPort }) })),
})

describe('a pod', () => {
  test.each<[string, unknown, boolean]>([
    ['without ports', { containers: [{ name: 'c' }] }, true],
    ['with a container port', { containers: [container(undefined)] }, true],
    ['with another host port', { containers: [container(5000, 8080)] }, true],
    ['with the host port', { containers: [container(5001)] }, false],
    ['with it among others', { containers: [{ name: 'a' }, container(80, undefined, 5001)] }, false],
    ['with it in an init container', { containers: [], initContainers: [container(5001)] }, false],
    ['with an init container that has another', { containers: [], initContainers: [container(5000)] }, true],
  ])('%s', (_, podSpec, expected) => expect(admits(podSpec)).toBe(expected))
})

test('it holds for every namespace but the node proxy’s, and where it cannot be judged', () => {
  expect(spec.failurePolicy).toBe('Fail')
  expect(spec.matchConstraints).toEqual({
    namespaceSelector: {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-registry-node'] }],
    },
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
  })
  expect(spec.validations[0]?.message).toBe(
    "host port 5001 belongs to the registry's node proxy (namespace kube-registry-node); use another hostPort",
  )
})

test('it is bound, and denies', () => {
  expect(policy?.metadata.name).toBe('regctl-host-port-kube-registry')
  expect(binding?.spec).toEqual({ policyName: policy?.metadata.name, validationActions: ['Deny'] })
})
