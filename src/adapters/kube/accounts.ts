import type { Accounts } from '../../ports/forward.ts'
import type { Api } from './api.ts'
import { type ClusterOptions, loadKubeConfig, openApi } from './client.ts'

type Rule = {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

export class ClusterAccounts implements Accounts {
  readonly namespace: string
  readonly #api: Api

  constructor(options: ClusterOptions) {
    const config = loadKubeConfig(options)
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace || 'default'
    this.#api = openApi(options)
  }

  async token(
    { namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string },
    { audience, seconds }: { readonly audience: string; readonly seconds: number },
    signal: AbortSignal,
  ): Promise<string> {
    const { text } = await this.#api.request({
      method: 'POST',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(serviceAccount)}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: seconds },
      },
      about: `create a token of ServiceAccount ${namespace}/${serviceAccount}`,
      signal,
    })
    return (JSON.parse(text) as { readonly status: { readonly token: string } }).status.token
  }

  async mine(namespace: string): Promise<readonly string[]> {
    const { text } = await this.#api.request({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
      about: `ask what is allowed in namespace ${namespace}`,
    })
    const { resourceRules = [] } = (JSON.parse(text) as { status?: { resourceRules?: readonly Rule[] } }).status ?? {}
    const names = resourceRules
      .filter(
        ({ verbs, apiGroups = [], resources = [] }) =>
          verbs.includes('create') && apiGroups.includes('') && resources.includes('serviceaccounts/token'),
      )
      .flatMap(({ resourceNames = [] }) => resourceNames)
    return [...new Set(names)].sort()
  }
}
