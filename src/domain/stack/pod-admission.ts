import { exposeNamespace, type Installation, ingressNamespace, nodeNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { TENANT_LABEL } from '../tenant/tenants.ts'
import { admission } from './admission-policy.ts'

export type Validation = {
  readonly expression: string
  readonly message: string
  readonly messageExpression?: string
}

export type Variable = { readonly name: string; readonly expression: string }

/** Where a pod is in what is written: a pod itself, or what makes pods. `old` is `null` in CEL where there is none. */
export type Subject = {
  readonly suffix: string
  readonly action: 'Deny' | 'Warn'
  readonly rules: readonly object[]
  readonly spec: string
  readonly old: string
}

const inside = (object: string): string =>
  `(has(${object}.spec.jobTemplate) ? ${object}.spec.jobTemplate.spec.template.spec : ${object}.spec.template.spec)`

const rule = (apiGroup: string, ...resources: readonly string[]) => ({
  apiGroups: [apiGroup],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources,
})

/** A pod is refused; what makes pods is warned of, because the refusal would show in some controller's events alone. */
export const SUBJECTS: readonly Subject[] = [
  {
    suffix: '',
    action: 'Deny',
    rules: [rule('', 'pods', 'pods/ephemeralcontainers')],
    spec: 'object.spec',
    old: 'oldObject.spec',
  },
  {
    suffix: '-workloads',
    action: 'Warn',
    rules: [
      rule('', 'replicationcontrollers'),
      rule('apps', 'deployments', 'statefulsets', 'daemonsets', 'replicasets'),
      rule('batch', 'jobs', 'cronjobs'),
    ],
    spec: inside('object'),
    old: inside('oldObject'),
  },
]

/**
 * Namespaces the policies never bind: the cluster's, the mesh's and ours, where whoever may make pods has the nodes or the
 * registry already. Were a policy wrong, the cluster could still mend itself.
 */
export const exemptNamespaces = (at: Installation, meshNamespace: string): readonly string[] => [
  'kube-system',
  meshNamespace,
  at.namespace,
  nodeNamespace(at),
  ingressNamespace(at),
  exposeNamespace(at),
]

/**
 * A policy on pods, and its twin on what makes pods, each with its binding. What they have to know stands in them: a parameter is
 * read from what the API server watches, and it never watches a ConfigMap again once the last policy with one is gone, but
 * goes on by what it was then (https://github.com/kubernetes/kubernetes/issues/130887).
 */
export function podPolicies(
  at: Installation,
  what: string,
  exempt: readonly string[],
  write: (subject: Subject) => {
    readonly variables: readonly Variable[]
    readonly validations: readonly Validation[]
  },
): readonly KubeObject[] {
  return SUBJECTS.flatMap((subject) => {
    const name = `regctl-${what}${subject.suffix}-${at.namespace}`
    const metadata = { name, labels: { ...ownerLabels(at), [TENANT_LABEL]: '' } }
    const { variables, validations } = write(subject)
    const forbidding = validations.map((one) => ({ reason: 'Forbidden', ...one }))
    const denial = { except: exempt, resourceRules: subject.rules, variables, validations: forbidding }
    return admission(metadata, denial, subject.action)
  })
}

/** A CEL map of strings. */
export const mapped = (data: Readonly<Record<string, string>>): string =>
  `{${Object.entries(data)
    .map(([key, value]) => `${quoted(key)}: ${quoted(value)}`)
    .join(', ')}}`

/** A CEL string. */
export const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
