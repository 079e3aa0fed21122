import { kubectlOk } from '../cluster.ts'
import type { Way } from '../developers/way-in.ts'
import { forwardTo } from '../developers/workstation.ts'

/** istiod as from inside the cluster, for identities that somebody has who is outside now. */
export async function istiod(): Promise<AsyncDisposable & { readonly way: Way }> {
  const root = ['get', 'configmap', 'istio-ca-root-cert', '-n', 'default', '-o', 'jsonpath={.data.root-cert\\.pem}']
  const [roots, forward] = await Promise.all([kubectlOk(root), forwardTo('istio-system', 'service/istiod', 15_012)])
  const none = { addresses: [], registryAddresses: [] }
  const way = { host: '127.0.0.1', port: forward.port, roots, authority: 'istiod.istio-system.svc', ...none }
  return { way, [Symbol.asyncDispose]: () => forward[Symbol.asyncDispose]() }
}
