import type { Installation } from '../../src/domain/installation.ts'
import type { Grant } from '../../src/domain/policy/grant.ts'

export const at: Installation = { namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }

/** `ci/pusher team/app exact read`: identity, repository and what differs from a grant's defaults. */
export function grantFrom(text: string): Grant {
  const [identity = '', repository = '', ...options] = text.split(' ')
  const [namespace = '', serviceAccount] = identity.split('/')
  return {
    namespace,
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    repository,
    exact: options.includes('exact'),
    readOnly: options.includes('read'),
  }
}
