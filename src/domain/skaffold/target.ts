import { preconditionError, usageError } from '../../errors.ts'
import { type Grant, isDeveloper } from '../policy/grant.ts'
import { isWithin } from '../repository.ts'

/** What the user said about where images go. */
export type Asked = {
  readonly builder: 'local' | 'in-cluster'
  readonly repository?: string
  readonly namespace?: string
}

export type Target = {
  readonly repository: string
  /** Of builds in the cluster. */
  readonly namespace?: string
  /** Where every grant that fits is one service account's. */
  readonly serviceAccount?: string
  /** False when a build in the cluster would be refused. */
  readonly granted: boolean
}

/**
 * The repository and the namespace, from the one grant that fits what is asked. A grant of one exact name does not:
 * artifacts are pushed below the repository.
 * @throws precondition error NO_GRANT, usage error WHICH_GRANT
 */
export function chooseTarget(grants: readonly Grant[], { builder, repository, namespace }: Asked): Target {
  const inCluster = builder === 'in-cluster'
  const fitting = grants.filter(
    (grant) =>
      !grant.readOnly &&
      !grant.exact &&
      // A developer's account is worth nothing where builders push.
      !(inCluster && isDeveloper(grant)) &&
      (namespace === undefined || grant.namespace === namespace) &&
      (repository === undefined || isWithin(repository, grant.repository)),
  )
  if (repository !== undefined && (!inCluster || namespace !== undefined))
    return { repository, ...(inCluster ? identity(namespace ?? '', fitting) : {}), granted: fitting.length > 0 }
  const choices = new Map(
    fitting.map((grant) => [inCluster ? `${grant.namespace} ${grant.repository}` : grant.repository, grant]),
  )
  const [only, ...more] = choices.values()
  if (only === undefined)
    throw preconditionError('NO_GRANT', `no grant to push fits${asked(repository, namespace)}`, {
      suggestions: [
        `regctl grant ${namespace ?? 'NAMESPACE'} ${repository ?? 'REPOSITORY'}`,
        'regctl grants',
        ...(inCluster ? [] : ['regctl skaffold-init --repository REPOSITORY']),
      ],
    })
  if (more.length > 0)
    throw usageError('WHICH_GRANT', `${choices.size} grants fit${asked(repository, namespace)}; say which`, {
      suggestions: [only, ...more].map(
        (grant) =>
          `regctl skaffold-init --repository ${grant.repository}${inCluster ? ` --build-namespace ${grant.namespace}` : ''}`,
      ),
    })
  return {
    repository: repository ?? only.repository,
    ...(inCluster ? identity(only.namespace, fitting) : {}),
    granted: true,
  }
}

function identity(namespace: string, grants: readonly Grant[]): Pick<Target, 'namespace' | 'serviceAccount'> {
  const [serviceAccount] = grants.some((grant) => grant.serviceAccount === undefined)
    ? []
    : grants.map((grant) => grant.serviceAccount).sort()
  return { namespace, ...(serviceAccount === undefined ? {} : { serviceAccount }) }
}

const asked = (repository: string | undefined, namespace: string | undefined): string =>
  `${repository === undefined ? '' : ` repository "${repository}"`}${namespace === undefined ? '' : ` namespace "${namespace}"`}`
