import type { Installation } from '../../src/domain/installation.ts'
import type { Grant } from '../../src/domain/policy/grant.ts'

export const at: Installation = { namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }

/** The same with the developers' way in. */
export const withDevelopers: Installation = { ...at, developers: true }

/** `ci/pusher team/app exact read user:ada`: identity, repository and what differs from a grant's defaults. */
export function grantFrom(text: string): Grant {
  const [identity = '', repository = '', ...options] = text.split(' ')
  const [namespace = '', serviceAccount] = identity.split('/')
  const developer = options.find((option) => /^(user|group):/.test(option))
  return {
    namespace,
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    repository,
    exact: options.includes('exact'),
    readOnly: options.includes('read'),
    ...(developer === undefined ? {} : { developer }),
  }
}
