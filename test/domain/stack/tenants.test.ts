import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { tenantObjects } from '../../../src/domain/stack/tenants.ts'
import { NO_TENANTS, type Tenants } from '../../../src/domain/tenant/tenants.ts'
import { at } from '../at.ts'

const many = (count: number, isPrivate = true): Tenants => ({
  ...NO_TENANTS,
  tenants: Array.from({ length: count }, (_, index) => ({
    namespace: `t${index}`,
    uid: `u${index}`,
    private: isPrivate,
  })),
})

type Policy = {
  readonly failurePolicy: string
  readonly matchConstraints: {
    readonly namespaceSelector: { readonly matchExpressions: readonly { readonly values: readonly string[] }[] }
    readonly resourceRules: readonly { readonly resources: readonly string[]; readonly operations: readonly string[] }[]
  }
}

const objects = tenantObjects({ ...at, port: 5001 }, many(1), 'istio-mesh')
const named = (kind: string, what: string): KubeObject | undefined =>
  objects.find((object) => object.kind === kind && object.metadata.name === `regctl-${what}-kube-registry`)
const policy = (what: string) => named('ValidatingAdmissionPolicy', what)?.spec as Policy
const binding = (what: string) => named('ValidatingAdmissionPolicyBinding', what)?.spec

test('without a private tenant nothing binds anybody', () => {
  expect(tenantObjects(at, NO_TENANTS, 'istio-system')).toEqual([])
  expect(tenantObjects(at, many(3, false), 'istio-system')).toEqual([])
})

test('more tenants are more words in the policies on images', () => {
  const others = (count: number) => tenantObjects(at, many(count), 'istio-system')
  const different = others(200).filter((one, index) => JSON.stringify(one) !== JSON.stringify(others(1)[index]))
  expect(different.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'ValidatingAdmissionPolicy regctl-images-kube-registry',
    'ValidatingAdmissionPolicy regctl-images-workloads-kube-registry',
  ])
})

test('no policy has a parameter: what the API server knows of one may be long out of date', () => {
  for (const { spec } of objects) {
    expect(spec).not.toHaveProperty('paramKind')
    expect(spec).not.toHaveProperty('paramRef')
  }
})

test('admission is told of private tenants, what they share, addresses and exempt namespaces, and nothing else', () => {
  const state: Tenants = {
    tenants: [...many(1).tenants, { namespace: 'open', uid: 'u', private: false }],
    shares: [
      { repository: 't0/base', namespace: 'b', uid: 'u-b' },
      { repository: 'open/base', namespace: 'b', uid: 'u-b' },
    ],
    addresses: ['10.0.0.1'],
    exempt: ['monitoring'],
  }
  const all = tenantObjects(at, state, 'istio-system')
  const expression = (what: string, variable: string) => {
    const found = all.find(({ metadata }) => metadata.name === `regctl-${what}-kube-registry`)
    const spec = found?.spec as { variables: readonly { name: string; expression: string }[] } | undefined
    return spec?.variables.find(({ name }) => name === variable)?.expression
  }
  expect(expression('images', 'tenants')).toBe(
    "{'_addresses': '10.0.0.1', '_exempt': '', 't0': 'private u0', 't0.b': 'u-b t0/base'}",
  )
  expect(expression('node-loopback', 'exempt')).toBe("request.namespace in ['monitoring']")
})

describe.each(['images', 'node-loopback'])('the policy on %s', (what) => {
  test('refuses pods, and warns at what makes them', () => {
    const expected = (suffix: string, action: string) => ({
      policyName: `regctl-${what}${suffix}-kube-registry`,
      validationActions: [action],
    })
    expect(binding(what)).toEqual(expected('', 'Deny'))
    expect(binding(`${what}-workloads`)).toEqual(expected('-workloads', 'Warn'))
  })

  test('sees pods, ephemeral containers and everything that makes pods, made or changed', () => {
    const rules = [
      ...policy(what).matchConstraints.resourceRules,
      ...policy(`${what}-workloads`).matchConstraints.resourceRules,
    ]
    expect(rules.flatMap(({ resources }) => resources)).toEqual([
      'pods',
      'pods/ephemeralcontainers',
      'replicationcontrollers',
      'deployments',
      'statefulsets',
      'daemonsets',
      'replicasets',
      'jobs',
      'cronjobs',
    ])
    for (const { operations } of rules) expect(operations).toEqual(['CREATE', 'UPDATE'])
  })

  test('binds all namespaces but the cluster’s, the mesh’s and ours, and where it cannot be judged', () => {
    expect(policy(what).failurePolicy).toBe('Fail')
    expect(policy(what).matchConstraints.namespaceSelector.matchExpressions[0]?.values).toEqual([
      'kube-system',
      'istio-mesh',
      'kube-registry',
      'kube-registry-node',
      'kube-registry-ingress',
      'kube-registry-expose',
    ])
  })

  test('goes by the port that is installed', () => {
    const text = JSON.stringify(policy(what))
    expect(text).toContain('5001')
    expect(text).not.toContain('5000')
  })
})
