import type { V1Pod } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { principalOf } from '../../domain/policy/identity.ts'
import { EXPOSE_PORT } from '../../domain/stack/exposure.ts'
import { principalsOfPods, selectorOf, tlsPort } from '../../domain/stack/foreign-gateway.ts'
import { isOwnNamespace } from '../../domain/stack/stack.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { readGrants } from '../grant/grants.ts'
import { requireCertificate } from './certificate.ts'

const GATEWAY = { apiVersion: 'networking.istio.io/v1', kind: 'Gateway' } as const

type Shared = { readonly host: string; readonly gateway: string; readonly secret?: string }

/**
 * What is to be known of somebody else's gateway before the registry is exposed by it.
 * @throws precondition and conflict errors that say why it cannot be
 */
export async function sharedExposure(
  ports: Ports,
  at: Installation,
  { host, gateway, secret }: Shared,
): Promise<Pick<Exposure, 'principals' | 'port' | 'selector'>> {
  const object = await requireGateway(ports.kube, at, gateway)
  const pods = await podsBehind(ports.kube, object)
  refuseOwnPods(at, gateway, pods)
  const principals = principalsOfPods(pods)
  if (principals.length === 0)
    throw preconditionError('GATEWAY_WITHOUT_PODS', `no running pod fits the selector of Gateway ${gateway}`, {
      suggestions: [`kubectl get gateways.networking.istio.io -n ${gateway.replace('/', ' ')} -o yaml`],
    })
  checkGrants(gateway, principals, await readGrants(ports.kube, at))
  if (secret === undefined) {
    const port = tlsPort(object, host, at.namespace)
    if (port !== undefined) return { principals, port }
    throw preconditionError(
      'NO_TLS_SERVER',
      `Gateway ${gateway} ends no TLS for ${host} that namespace ${at.namespace} may use`,
      { suggestions: [`add --tls SECRET, in the namespace of the gateway's pods: ${homesOf(pods).join(', ')}`] },
    )
  }
  for (const home of homesOf(pods)) await requireCertificate(ports, at, home, secret, host)
  return { principals, port: EXPOSE_PORT, selector: selectorOf(object) }
}

/** A team's Gateway may be at one of ours, by which its identity would reach the registry. */
function refuseOwnPods(at: Installation, gateway: string, pods: readonly V1Pod[]): void {
  const own = homesOf(pods).filter((home) => isOwnNamespace(at, home))
  if (own.length === 0) return
  throw conflictError('OWN_GATEWAY', `the pods of Gateway ${gateway} are regctl's own (namespace ${own.join(', ')})`, {
    suggestions: ['leave --gateway out, and add --tls SECRET'],
  })
}

export const homesOf = (pods: readonly V1Pod[]): readonly string[] => [
  ...new Set(pods.map(({ metadata }) => metadata?.namespace ?? '')),
]

async function requireGateway(kube: Kube, at: Installation, gateway: string): Promise<KubeObject> {
  const [namespace = '', name = ''] = gateway.split('/')
  if (isOwnNamespace(at, namespace))
    throw conflictError('OWN_GATEWAY', `Gateway ${gateway} is regctl's own`, {
      suggestions: ['leave --gateway out, and add --tls SECRET'],
    })
  const found = await kube.get({ ...GATEWAY, namespace, name })
  if (found === undefined) {
    const others = await kube.list(GATEWAY)
    throw preconditionError('NO_GATEWAY', `Gateway ${gateway} does not exist`, {
      suggestions: [
        ...others
          .filter(({ metadata }) => !isOwnNamespace(at, metadata.namespace ?? ''))
          .map(({ metadata }) => `--gateway ${metadata.namespace}/${metadata.name}`),
        'leave --gateway out, for one of its own',
      ],
    })
  }
  if (Object.keys(selectorOf(found)).length > 0) return found
  throw conflictError('GATEWAY_OF_ALL', `Gateway ${gateway} has no selector, so it is every gateway of the mesh`, {
    suggestions: ['use one with a selector', 'leave --gateway out, for one of its own'],
  })
}

/** As istiod has it, in all namespaces. */
export async function podsBehind(kube: Kube, gateway: KubeObject): Promise<readonly V1Pod[]> {
  const labelSelector = Object.entries(selectorOf(gateway))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  return (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, { labelSelector })) as unknown as V1Pod[]
}

/** The fence keeps a gateway from writing, and would keep a builder that is the same account. */
function checkGrants(gateway: string, principals: readonly string[], grants: readonly Grant[]): void {
  const isOf = (grant: Grant) => (principal: string) =>
    grant.serviceAccount === undefined
      ? principal.startsWith(principalOf(grant).slice(0, -1))
      : principal === principalOf(grant)
  const granted = grants.find((grant) => principals.some(isOf(grant)))
  if (granted === undefined) return
  throw conflictError(
    'GATEWAY_GRANTED',
    `the pods of Gateway ${gateway} have a grant of ${granted.repository}, and whoever may route by them would have it`,
    { suggestions: [`regctl revoke ${granted.namespace} ${granted.repository}`] },
  )
}

/** What whoever exposes by it should know first. */
export const sharedWarning = ({ host, gateway, repositories }: Exposure): string =>
  `Gateway ${gateway} is not regctl's: whoever may make a VirtualService or a Gateway for it can read ${
    repositories.length === 0 ? 'the whole registry' : repositories.join(', ')
  } by any name, answer clients of ${host} with images of their own, and see what those clients send. It stays read only, and no token counts there.`
