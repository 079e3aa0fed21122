import { RegctlError } from '../../errors.ts'
import type { Accounts } from '../../ports.ts'
import { Api, type ApiRequest, type ApiResponse } from './api.ts'
import { type ClusterOptions, loadKubeConfig } from './client.ts'

type Rule = {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

export class ClusterAccounts implements Accounts {
  readonly namespace: string
  readonly #options: ClusterOptions
  #api: Api

  constructor(options: ClusterOptions) {
    const config = loadKubeConfig(options)
    const context = config.getCurrentContext()
    this.namespace = config.getContextObject(context)?.namespace || 'default'
    // Whatever becomes the current context meanwhile, these stay where they were.
    this.#options = { ...options, context }
    this.#api = this.#connected()
  }

  async token(
    { namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string },
    { audience, seconds }: { readonly audience: string; readonly seconds: number },
    signal: AbortSignal,
  ): Promise<string> {
    const { text } = await this.#request({
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
    const { text } = await this.#request({
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

  async #request(request: ApiRequest): Promise<ApiResponse> {
    try {
      return await this.#api.request(request)
    } catch (error) {
      if (!(error instanceof RegctlError) || !['UNAUTHORIZED', 'CREDENTIALS'].includes(error.code)) throw error
      // Credentials may have been renewed in the kubeconfig.
      this.#api = this.#connected()
      return this.#api.request(request)
    }
  }

  #connected(): Api {
    return new Api(loadKubeConfig(this.#options), this.#options.clock, this.#options.signal)
  }
}
