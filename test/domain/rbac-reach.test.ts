import { expect, test } from 'vitest'
import { subjectsWith } from '../../src/domain/rbac-reach.ts'

type Roles = Parameters<typeof subjectsWith>[2]
type Bindings = Parameters<typeof subjectsWith>[3]

const role = (
  name: string,
  rule: { resources?: string[]; verbs?: string[]; apiGroups?: string[]; resourceNames?: string[] },
  namespace?: string,
): Roles[number] => ({
  kind: namespace === undefined ? 'ClusterRole' : 'Role',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules: [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['create'], ...rule }],
})

const binding = (roleName: string, subject: string, namespace?: string, kind = 'ClusterRole'): Bindings[number] => ({
  ...(namespace === undefined ? {} : { metadata: { namespace } }),
  roleRef: { kind, name: roleName },
  subjects: [{ kind: 'User', name: subject }],
})

const who = (roles: Roles, bindings: Bindings) => subjectsWith('pods/exec', 'n', roles, bindings)

test.each<[string, Roles[number], boolean]>([
  ['create of the subresource', role('r', {}), true],
  ['get, which a WebSocket is', role('r', { verbs: ['get'] }), true],
  ['any verb', role('r', { verbs: ['*'] }), true],
  ['list', role('r', { verbs: ['list'] }), false],
  ['any resource', role('r', { resources: ['*'] }), true],
  ['the subresource of any', role('r', { resources: ['*/exec'] }), true],
  ['pods alone', role('r', { resources: ['pods'] }), false],
  ['another subresource', role('r', { resources: ['pods/log'] }), false],
  ['any group', role('r', { apiGroups: ['*'] }), true],
  ['another group', role('r', { apiGroups: ['apps'] }), false],
  ['pods by name, which come and go', role('r', { resourceNames: ['x'] }), false],
])('a rule with %s: %s', (_, one, expected) =>
  expect(who([one], [binding('r', 'eve')])).toEqual(expected ? ['user eve'] : []),
)

test.each<[string, Roles[number], Bindings[number], boolean]>([
  ['a cluster role everywhere', role('r', {}), binding('r', 'eve'), true],
  ['a cluster role in the namespace', role('r', {}), binding('r', 'eve', 'n'), true],
  ['a cluster role elsewhere', role('r', {}), binding('r', 'eve', 'm'), false],
  ['a role of the namespace', role('r', {}, 'n'), binding('r', 'eve', 'n', 'Role'), true],
  ['a role of another namespace', role('r', {}, 'm'), binding('r', 'eve', 'n', 'Role'), false],
  ['a role of the same name but another kind', role('r', {}, 'n'), binding('r', 'eve', 'n'), false],
])('by %s', (_, one, bound, expected) => expect(who([one], [bound])).toEqual(expected ? ['user eve'] : []))

test('subjects are named once, sorted, without the control plane', () => {
  const subjects = [
    { kind: 'ServiceAccount', name: 'ci', namespace: 'web' },
    { kind: 'ServiceAccount', name: 'controller', namespace: 'kube-system' },
    { kind: 'Group', name: 'admins' },
    { kind: 'Group', name: 'admins' },
  ]
  const empty = { kind: 'ClusterRole', metadata: { name: 'none' }, rules: null }
  expect(
    who([empty, role('r', {})], [{ ...binding('r', 'x'), subjects }, { roleRef: { kind: 'ClusterRole', name: 'r' } }]),
  ).toEqual(['group admins', 'service account web/ci'])
})
