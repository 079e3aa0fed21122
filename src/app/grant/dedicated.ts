import type { V1Pod } from '@kubernetes/client-node'
import { boundBy } from '../../domain/rbac-reach.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

/** The pods that run as an account, and the bindings that give it rights. */
export type Use = { readonly pods: readonly string[]; readonly bindings: readonly string[] }

/** Undefined where the account is used for nothing. */
export async function useOf(kube: Kube, namespace: string, name: string): Promise<Use | undefined> {
  const list = (kind: string) => kube.list({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })
  const [pods, roles, clusterRoles] = await Promise.all([
    kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace }) as Promise<readonly unknown[]>,
    list('RoleBinding'),
    list('ClusterRoleBinding'),
  ])
  const users = (pods as readonly V1Pod[])
    .filter(({ spec, status }) => spec?.serviceAccountName === name && !isOver(status?.phase))
    .map(({ metadata }) => metadata?.name ?? '')
  const all = [...roles, ...clusterRoles] as unknown as Parameters<typeof boundBy>[0][]
  const bindings = all.flatMap((binding) => boundBy(binding, namespace, name) ?? [])
  return users.length + bindings.length === 0 ? undefined : { pods: users, bindings }
}

const isOver = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed'

export const useText = ({ pods, bindings }: Use): string =>
  pods.length > 0 ? `pod ${pods.join(', ')} runs as it` : `${bindings.join(', ')} gives it rights`

const ANOTHER = 'leave --service-account out, or name one that nothing uses; it is made where there is none'

/**
 * The developer becomes the account, with all it may do: one that a pod runs as, or that RBAC gives anything, would hand
 * that over. A new account may have rights as well, by a binding to all of its namespace.
 * @throws conflict error (exit 4) ACCOUNT_IN_USE
 */
export async function checkDedicated(kube: Kube, namespace: string, name: string): Promise<void> {
  if (name === 'default')
    throw conflictError('ACCOUNT_IN_USE', `service account ${namespace}/default is of every pod that names no other`, {
      suggestions: [ANOTHER],
    })
  const use = await useOf(kube, namespace, name)
  if (use === undefined) return
  const { pods } = use
  throw conflictError(
    'ACCOUNT_IN_USE',
    `service account ${namespace}/${name} is not for a developer alone: ${useText(use)}, which the developer would get too`,
    {
      suggestions: [
        ...(pods.length > 0 ? [`kubectl delete pod -n ${namespace} ${pods.join(' ')}`] : []),
        pods.length > 0 ? ANOTHER : 'grant in a namespace whose accounts have no rights by themselves',
      ],
      details: use,
    },
  )
}
