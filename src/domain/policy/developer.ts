import { createHash } from 'node:crypto'
import { usageError } from '../../errors.ts'
import { INGRESS, type Installation, ingressNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'
import { DEVELOPER_ACCESS } from '../stack/developer-access.ts'
import { GRANT_LABEL } from './grant.ts'

/** Who a service account is for, on the account itself. */
export const DEVELOPER_ANNOTATION = 'regctl.dev/developer'

const KIND = { user: 'User', group: 'Group' } as const

export type Subject = { readonly kind: 'User' | 'Group'; readonly name: string }

/**
 * Checks `user:NAME` or `group:NAME`. What Kubernetes calls everybody, or its own, is no developer.
 * @throws usage error INVALID_DEVELOPER
 */
export function developerName(text: string): string {
  const refuse = (why: string): never => {
    throw usageError('INVALID_DEVELOPER', `developer "${text}" ${why}`, {
      suggestions: ['--developer user:ada@example.org', '--developer group:team-a'],
    })
  }
  const [, kind = '', name = ''] = /^([^:]*):(.*)$/s.exec(text) ?? []
  if (!(kind in KIND) || name === '') refuse('is neither user:NAME nor group:NAME')
  if (name.length > 253 || name.trim() !== name || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name))
    refuse('has a name that no user can have')
  if (name.startsWith('system:') || name === '*') refuse('is of the cluster itself, or everybody')
  return text
}

export function subjectOf(developer: string): Subject {
  const end = developer.indexOf(':')
  return { kind: KIND[developer.slice(0, end) as keyof typeof KIND], name: developer.slice(end + 1) }
}

/**
 * A name for a developer's new account. With `random` in it a certificate of an account that was revoked is worth nothing
 * when the same person is granted again: certificates name the account, and outlive it.
 */
export function accountName(developer: string, random: string): string {
  const readable = subjectOf(developer)
    .name.toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
  return ['developer', ...(readable === '' ? [] : [readable.replace(/-+$/, '')]), random].join('-')
}

/** One service account that one developer may take on. */
export type DeveloperAccount = {
  readonly namespace: string
  readonly serviceAccount: string
  readonly developer: string
}

/** The account, where it is regctl's to make. */
export function developerServiceAccount(at: Installation, account: DeveloperAccount): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name: account.serviceAccount,
      namespace: account.namespace,
      labels: { ...ownerLabels(at), [GRANT_LABEL]: account.namespace },
      annotations: { [DEVELOPER_ANNOTATION]: account.developer },
    },
    automountServiceAccountToken: false,
  }
}

const RBAC = 'rbac.authorization.k8s.io/v1'

export const ACCESS_NAME = /^regctl-developer-[0-9a-f]{10}$/

/** Short, because a service account's name may be as long as an object's. */
export const accessName = ({ namespace, serviceAccount }: DeveloperAccount): string =>
  `regctl-developer-${createHash('sha256').update(`${namespace}/${serviceAccount}`).digest('hex').slice(0, 10)}`

/**
 * What the developer may ask of the API server: a token of this one account, where the gateway is, and with `forward` a
 * port-forward of the gateway's pods. They go with the granted namespace.
 */
export function developerAccess(
  at: Installation,
  account: DeveloperAccount,
  forward: boolean,
  owner?: OwnerReference,
): readonly KubeObject[] {
  const name = accessName(account)
  const metadata = (namespace: string) => ({
    name,
    namespace,
    labels: { ...ownerLabels(at), [GRANT_LABEL]: account.namespace },
    annotations: { [DEVELOPER_ANNOTATION]: account.developer },
    ...(owner === undefined ? {} : { ownerReferences: [owner] }),
  })
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', ...subjectOf(account.developer) }]
  const binding = (namespace: string, role: string): KubeObject => ({
    apiVersion: RBAC,
    kind: 'RoleBinding',
    metadata: metadata(namespace),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    subjects,
  })
  return [
    {
      apiVersion: RBAC,
      kind: 'Role',
      metadata: metadata(account.namespace),
      rules: [
        {
          apiGroups: [''],
          resources: ['serviceaccounts/token'],
          resourceNames: [account.serviceAccount],
          verbs: ['create'],
        },
      ],
    },
    binding(account.namespace, name),
    binding(at.namespace, DEVELOPER_ACCESS),
    ...(forward ? [binding(ingressNamespace(at), GATEWAY_FORWARD)] : []),
  ]
}

/** Name of the Role that `--allow-gateway-forward` binds; the gateway's namespace holds nothing but the gateway. */
export const GATEWAY_FORWARD = `${INGRESS}-forward`

/** The Roles that developers are bound to; they come with the gateway. */
export function developerRoles(at: Installation): readonly KubeObject[] {
  const role = (namespace: string, name: string, rules: readonly object[]): KubeObject => ({
    apiVersion: RBAC,
    kind: 'Role',
    metadata: { name, namespace, labels: ownerLabels(at) },
    rules,
  })
  return [
    role(at.namespace, DEVELOPER_ACCESS, [
      { apiGroups: [''], resources: ['configmaps'], resourceNames: [DEVELOPER_ACCESS], verbs: ['get'] },
    ]),
    role(ingressNamespace(at), GATEWAY_FORWARD, [
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
      // A WebSocket is opened by get, and since Kubernetes 1.35 create is asked for as well.
      { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
    ]),
  ]
}
