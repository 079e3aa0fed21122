import { grantCommand } from '../../domain/build/image.ts'
import type { Installation } from '../../domain/installation.ts'
import { type Grant, isDeveloper } from '../../domain/policy/grant.ts'
import { isWithin } from '../../domain/repository.ts'
import { preconditionError, RegctlError, usageError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { readGrants } from '../grant/grants.ts'
import { listenerLabels } from '../grant/listener.ts'

/** Who builds: the pod runs as this service account, and its labels get it the listener. */
export type BuildIdentity = {
  readonly port: number
  readonly namespace: string
  readonly serviceAccount: string
  readonly labels: Readonly<Record<string, string>>
}

export type Asked = {
  readonly registryNamespace: string
  readonly repository: string
  readonly namespace?: string
  readonly serviceAccount?: string
}

const DEFAULT_PORT = 5000

export async function registryPort(kube: Kube, registryNamespace: string, namespace?: string): Promise<number> {
  const installed = await readable(requireInstalled(kube, registryNamespace), namespace)
  return installed?.at.port ?? DEFAULT_PORT
}

/**
 * The identity that may push the repository. Whoever may build but not read the grants names the namespace, and the
 * registry's own refusal counts.
 * @throws precondition error NOT_GRANTED, usage error WHICH_NAMESPACE
 */
export async function buildIdentity(kube: Kube, asked: Asked): Promise<BuildIdentity> {
  const installed = await readable(requireInstalled(kube, asked.registryNamespace), asked.namespace)
  if (installed === undefined) return unread(asked, DEFAULT_PORT)
  const { at } = installed
  const grants = await readable(readGrants(kube, at), asked.namespace)
  const identity = grants === undefined ? unread(asked, at.port) : granted(at, grants, asked)
  const labels = await readable(listenerLabels(kube, at, identity.namespace, {}), identity.namespace)
  return { ...identity, labels: labels ?? {} }
}

const unread = ({ namespace = '', serviceAccount = 'default' }: Asked, port: number): BuildIdentity => ({
  port,
  namespace,
  serviceAccount,
  labels: {},
})

/** Undefined where reading is not allowed and we can do without. */
async function readable<T>(reading: Promise<T>, otherwise?: string): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (otherwise !== undefined && error instanceof RegctlError && error.code === 'FORBIDDEN') return undefined
    throw error
  }
}

function granted(at: Installation, grants: readonly Grant[], asked: Asked): BuildIdentity {
  const { repository, namespace, serviceAccount } = asked
  const writing = grants.filter((grant) => !grant.readOnly && !isDeveloper(grant) && covers(grant, repository))
  const inNamespace = writing.filter((grant) => namespace === undefined || grant.namespace === namespace)
  const found = inNamespace.filter((grant) => (grant.serviceAccount ?? serviceAccount) === serviceAccount)
  const fitting = serviceAccount === undefined ? inNamespace : found
  const namespaces = [...new Set(fitting.map((grant) => grant.namespace))]
  const [only = ''] = namespaces
  if (namespaces.length === 0) throw notGranted(asked, writing)
  if (namespaces.length > 1)
    throw usageError('WHICH_NAMESPACE', `${namespaces.join(' and ')} may push ${repository}`, {
      suggestions: namespaces.map((one) => `add --build-namespace ${one}`),
    })
  return { port: at.port, namespace: only, serviceAccount: serviceAccount ?? accountOf(only, fitting), labels: {} }
}

function accountOf(namespace: string, grants: readonly Grant[]): string {
  const accounts = [...new Set(grants.map((grant) => grant.serviceAccount ?? 'default'))]
  const [only = 'default'] = accounts
  if (accounts.length === 1 || accounts.includes('default')) return accounts.includes('default') ? 'default' : only
  throw usageError('WHICH_SERVICE_ACCOUNT', `${accounts.join(' and ')} of ${namespace} may push it`, {
    suggestions: accounts.map((one) => `add --service-account ${one}`),
  })
}

function notGranted({ repository, namespace, serviceAccount }: Asked, others: readonly Grant[]): RegctlError {
  const who =
    namespace === undefined
      ? 'no namespace'
      : serviceAccount === undefined
        ? `namespace "${namespace}"`
        : `service account "${serviceAccount}" of namespace "${namespace}"`
  return preconditionError(
    'NOT_GRANTED',
    namespace === undefined ? `no namespace may push ${repository}` : `${who} may not push ${repository}`,
    {
      suggestions: [
        grantCommand(namespace ?? 'NAMESPACE', repository, serviceAccount),
        ...[...new Set(others.map((grant) => grant.namespace))].map((one) => `add --build-namespace ${one}`),
      ],
    },
  )
}

const covers = (grant: Grant, repository: string): boolean =>
  grant.exact ? grant.repository === repository : isWithin(repository, grant.repository)
