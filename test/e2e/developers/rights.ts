import { kubectlOk } from '../cluster.ts'

type Rule = { readonly verbs: readonly string[]; readonly apiGroups?: readonly string[] }
type Rules = { readonly resourceRules: readonly Rule[]; readonly nonResourceRules: readonly Rule[] }

/** Everything RBAC gives somebody in a namespace, one rule a line. */
async function rulesOf(namespace: string, who: readonly string[]): Promise<readonly string[]> {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
  const kind = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } }
  const told = await kubectlOk(['create', '--raw', path, '-f', '-', ...who], { input: JSON.stringify(kind) })
  const { resourceRules, nonResourceRules } = (JSON.parse(told) as { status: Rules }).status
  return [...resourceRules, ...nonResourceRules].map((rule) => JSON.stringify(rule))
}

/** What the one has that the other has not; the same by two bindings counts once. */
export async function moreRights(namespace: string, who: readonly string[], than: readonly string[]) {
  const [theirs, others] = await Promise.all([rulesOf(namespace, who), rulesOf(namespace, than)])
  const more = theirs.filter((rule) => !others.includes(rule))
  return [...new Set(more)].map((rule) => JSON.parse(rule) as object)
}
