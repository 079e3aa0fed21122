import { type Installation, ingressNamespace } from '../../domain/installation.ts'
import { describeRef, type KubeObject, type OwnerReference, refOf } from '../../domain/kube-object.ts'
import { belongsTo } from '../../domain/ownership.ts'
import {
  accessName,
  DEVELOPER_ANNOTATION,
  type DeveloperAccount,
  developerAccess,
  developerServiceAccount,
} from '../../domain/policy/developer.ts'
import { GRANT_LABEL } from '../../domain/policy/grant.ts'
import { conflictError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'
import { grantsOf, readGrants } from './grants.ts'

/** True where something was not there yet. */
export async function giveAccess(
  kube: Kube,
  at: Installation,
  wanted: DeveloperAccount,
  owner: OwnerReference,
  forward: boolean,
): Promise<boolean> {
  const objects = developerAccess(at, wanted, forward, owner)
  const found = await Promise.all(objects.map((object) => kube.get(refOf(object))))
  const foreign = found.find((object) => object !== undefined && !isOurs(object, at))
  if (foreign !== undefined)
    throw conflictError('NOT_OURS', `${describeRef(refOf(foreign))} exists and is not regctl's`, {
      suggestions: [`kubectl delete ${foreign.kind.toLowerCase()} -n ${wanted.namespace} ${foreign.metadata.name}`],
    })
  // One that is there already, and nobody's, stays as it is.
  const made = await kube.create(developerServiceAccount(at, wanted))
  for (const object of objects) await kube.apply(object, { force: true })
  return made !== undefined || found.includes(undefined)
}

/**
 * With the last grant of an account go the rights to it, and the account where regctl made it; also what a revoke that was
 * interrupted left. A grant made meanwhile keeps what it finds, so what went is put back once such a grant shows.
 */
export async function tidyAccounts(kube: Kube, at: Installation, namespace: string): Promise<void> {
  const isNeeded = await neededBy(kube, at, namespace)
  const removed: KubeObject[] = []
  for (const object of await accountObjects(kube, at, namespace))
    if (!isNeeded(object) && (await kube.remove(refOf(object)))) removed.push(object)
  const isNeededNow = await neededBy(kube, at, namespace)
  for (const object of removed.filter(isNeededNow)) await kube.create(anew(object))
}

/** Tells what the grants to developers of a namespace need. */
async function neededBy(kube: Kube, at: Installation, namespace: string): Promise<(object: KubeObject) => boolean> {
  const accounts = grantsOf(namespace, await readGrants(kube, at)).flatMap(({ serviceAccount, developer }) =>
    serviceAccount === undefined || developer === undefined ? [] : [{ namespace, serviceAccount, developer }],
  )
  const [names, rights] = [accounts.map((one) => one.serviceAccount), accounts.map(accessName)]
  return ({ kind, metadata: { name } }) => (kind === 'ServiceAccount' ? names : rights).includes(name)
}

const RBAC = 'rbac.authorization.k8s.io/v1'

/** The accounts regctl made for developers of a namespace, and what lets them in. */
async function accountObjects(kube: Kube, at: Installation, namespace: string): Promise<readonly KubeObject[]> {
  const list = (apiVersion: string, kind: string, where = namespace) =>
    kube.list({ apiVersion, kind }, { namespace: where, labelSelector: `${GRANT_LABEL}=${namespace}` })
  const lists = await Promise.all([
    list('v1', 'ServiceAccount'),
    list(RBAC, 'Role'),
    ...[namespace, at.namespace, ingressNamespace(at)].map((where) => list(RBAC, 'RoleBinding', where)),
  ])
  return lists
    .flat()
    .filter((object) => belongsTo(at, object) && object.metadata.annotations?.[DEVELOPER_ANNOTATION] !== undefined)
}

/** Without what the API server put in. */
function anew({ metadata, ...rest }: KubeObject): KubeObject {
  const { name, namespace, labels, annotations, ownerReferences } = metadata
  return {
    ...rest,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
  }
}
