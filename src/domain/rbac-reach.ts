import type { RbacV1Subject, V1PolicyRule } from '@kubernetes/client-node'

type RoleLike = {
  readonly kind: string
  readonly metadata?: { readonly name?: string; readonly namespace?: string }
  readonly rules?: readonly V1PolicyRule[] | null
}
type BindingLike = {
  readonly kind?: string
  readonly metadata?: { readonly name?: string; readonly namespace?: string }
  readonly roleRef: { readonly kind: string; readonly name: string }
  readonly subjects?: readonly RbacV1Subject[]
}

/** Does a rule allow creating this subresource of pods, such as `pods/exec`? */
function reaches(rule: V1PolicyRule, resource: string): boolean {
  const has = (list: readonly string[] | undefined, ...values: readonly string[]) =>
    values.some((value) => (list ?? []).includes(value))
  return (
    has(rule.apiGroups, '', '*') &&
    // exec over a WebSocket is a GET.
    has(rule.verbs, 'create', 'get', '*') &&
    has(rule.resources, resource, '*', `*/${resource.split('/')[1]}`) &&
    (rule.resourceNames ?? []).length === 0
  )
}

const subjectText = (subject: RbacV1Subject): string =>
  subject.kind === 'ServiceAccount'
    ? `service account ${subject.namespace}/${subject.name}`
    : `${subject.kind.toLowerCase()} ${subject.name}`

/** Who may use `resource` on the pods of `namespace`, by every role and binding of the cluster. */
export function subjectsWith(
  resource: string,
  namespace: string,
  roles: readonly RoleLike[],
  bindings: readonly BindingLike[],
): readonly string[] {
  const found = bindings
    .filter((binding) => binding.metadata?.namespace === undefined || binding.metadata.namespace === namespace)
    .filter((binding) =>
      roles.some(
        (role) =>
          role.kind === binding.roleRef.kind &&
          role.metadata?.name === binding.roleRef.name &&
          (role.kind === 'ClusterRole' || role.metadata?.namespace === binding.metadata?.namespace) &&
          (role.rules ?? []).some((rule) => reaches(rule, resource)),
      ),
    )
    .flatMap((binding) => (binding.subjects ?? []).map(subjectText))
  // The control plane's own controllers may do anything; naming them says nothing.
  return [...new Set(found)].filter((subject) => !subject.startsWith('service account kube-system/')).sort()
}

/**
 * The binding's name, where it gives rights to this account of a namespace, or to all accounts there. What Kubernetes
 * itself gives to every account, by bindings with names that start with `system:`, does not count.
 */
export function boundBy(binding: BindingLike, namespace: string, account: string): string | undefined {
  const { kind, metadata } = binding
  const all = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  const ofKubernetes = metadata?.name?.startsWith('system:') === true
  const found = (binding.subjects ?? []).some(
    (subject) =>
      (subject.kind === 'ServiceAccount' &&
        subject.name === account &&
        (subject.namespace ?? metadata?.namespace) === namespace) ||
      (subject.kind === 'User' && subject.name === `system:serviceaccount:${namespace}:${account}`) ||
      (subject.kind === 'Group' && all.includes(subject.name) && !ofKubernetes),
  )
  if (!found) return undefined
  return [kind, metadata?.namespace === undefined ? metadata?.name : `${metadata.namespace}/${metadata.name}`].join(' ')
}
