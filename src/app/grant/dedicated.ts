import type { V1Pod } from '@kubernetes/client-node'
import { boundBy } from '../../domain/rbac-reach.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

/**
 * The developer becomes the account, with all it may do: one that a pod runs as, or that RBAC gives anything, would hand
 * that over. A new account may have rights as well, by a binding to all of its namespace.
 * @throws conflict error (exit 4) ACCOUNT_IN_USE
 */
export async function checkDedicated(kube: Kube, namespace: string, name: string): Promise<void> {
  const list = (kind: string) => kube.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })
  const [pods, roles, clusterRoles] = await Promise.all([
    kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace }) as Promise<readonly unknown[]>,
    list('RoleBinding'),
    list('ClusterRoleBinding'),
  ])
  const users = (pods as readonly V1Pod[])
    .filter(({ spec, status }) => spec?.serviceAccountName === name && !isOver(status?.phase))
    .map(({ metadata }) => metadata?.name ?? '')
  const bindings = [...roles, ...clusterRoles] as unknown as Parameters<typeof boundBy>[0][]
  const bound = bindings.flatMap((binding) => boundBy(binding, namespace, name) ?? [])
  if (users.length === 0 && bound.length === 0) return
  const why = users.length > 0 ? `pod ${users.join(', ')} runs as it` : `${bound.join(', ')} gives it rights`
  throw conflictError(
    'ACCOUNT_IN_USE',
    `service account ${namespace}/${name} is not for a developer alone: ${why}, which the developer would get too`,
    {
      suggestions: [
        ...(users.length > 0 ? [`kubectl delete pod -n ${namespace} ${users.join(' ')}`] : []),
        users.length > 0
          ? 'name another by --service-account, which is made where there is none'
          : 'grant in a namespace whose accounts have no rights by themselves',
      ],
      details: { pods: users, bindings: bound },
    },
  )
}

const isOver = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed'
